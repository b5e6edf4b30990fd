/**
 * A whole route that gives out grants (contract §7): the caller says which jobs it wants to see, the application says what
 * this user may read. Needs the shared secret, so it must never run in a browser.
 */
import * as z from 'zod/mini';
import { parseInvocationId } from '../domain/job.ts';
import { type ReadLists, type SignGrantOptions, signAnyGrant } from './sign.ts';

/** What the caller asked for: at most 50 UUIDs, lower case; none where it is about lists. */
export interface GrantRequest {
  readonly invocations: readonly string[];
}

export interface GrantRouteOptions extends Omit<SignGrantOptions, 'read' | 'purge'> {
  /**
   * Yours: what the user of this request may read, `undefined` for nobody we know (403). Lists that name nothing make a
   * grant that covers nothing. What it throws is thrown to whoever called the route.
   */
  readonly read: (
    request: Request,
    asked: GrantRequest,
  ) => '*' | ReadLists | undefined | Promise<'*' | ReadLists | undefined>;
}

/** As many as one stream may name (contract §10). */
const MAX_IDS = 50;

const bodyShape = z.object({
  invocations: z
    .array(z.string().check(z.refine((text) => parseInvocationId(text) !== undefined)))
    .check(z.maxLength(MAX_IDS)),
});

/** A function from `Request` to `Response`, for whatever framework has routes of this form. */
export function grantRoute(options: GrantRouteOptions): (request: Request) => Promise<Response> {
  const { read, ...signing } = options;
  return async (request) => {
    if (request.method !== 'POST') {
      return refusal(405, 'method_not_allowed', 'A grant is asked for with POST.', { Allow: 'POST' });
    }
    const asked = bodyShape.safeParse(await jsonOf(request)).data;
    if (asked === undefined) {
      return refusal(
        400,
        'invalid_request',
        `The body must be {"invocations": [ID, ...]}, at most ${MAX_IDS} UUIDs.`,
      );
    }
    const invocations = asked.invocations.map((id) => id.toLowerCase());
    const mayRead = await read(request, { invocations });
    if (mayRead === undefined) return refusal(403, 'forbidden', 'This user may read nothing here.');
    const { grant, expiresAt } = await signAnyGrant({ ...signing, read: mayRead });
    return json(200, { grant, expires_at: expiresAt });
  };
}

async function jsonOf(request: Request): Promise<unknown> {
  try {
    return await request.clone().json();
  } catch {
    return undefined;
  }
}

function refusal(status: number, error: string, message: string, headers?: Record<string, string>): Response {
  return json(status, { error, message }, headers);
}

function json(status: number, body: object, headers?: Record<string, string>): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } });
}
