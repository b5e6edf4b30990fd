/** Before and behind the gateway when lists are measured: a lean upstream, a gateway with grants, grants of both views. */
import { signGrant } from '../src/grant/sign.ts';
import { MAX_LIST_BYTES, MAX_LIST_JOBS } from '../test/support/list-bodies.ts';
import { TURN_PROBE } from '../test/support/turn-probe.ts';
import { JOB_BODY, JOB_ID } from './job.ts';
import { type Served, serve, serveGateway } from './servers.ts';

export const VIEWS = ['full', 'summary'] as const;
export type ListView = (typeof VIEWS)[number];

/** A usual one, and the largest. */
export const SIZES = {
  '20 jobs': { JOBS: '20' },
  largest: {
    JOBS: String(MAX_LIST_JOBS),
    BYTES_PER_JOB: String(Math.floor(MAX_LIST_BYTES / MAX_LIST_JOBS) - 2),
  },
} as const;

export const LIST_PATH = '/api/v1/invocations?limit=200';

const GRANT_SECRET = 'made-up-secret-of-the-bench-0123456789';

export interface ListWorld {
  readonly gateway: Served;
  readonly headers: Readonly<Record<ListView, Readonly<Record<string, string>>>>;
  close(): Promise<void>;
}

/** @param list what `list-upstream.ts` is told of its list. @param env of the gateway */
export async function openListWorld(
  list: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<ListWorld> {
  const upstream = await serve('bench/servers/list-upstream.ts', {
    core: 'load',
    env: { BODY: JOB_BODY, ID: JOB_ID, ...list },
  });
  const gateway = await serveGateway(upstream.url, {
    env: { AUTH: 'grant', GRANT_SECRET, ...env },
    nodeArgs: ['--import', TURN_PROBE],
    ipc: true,
  });
  const headersOf = async (view: ListView) => {
    const grant = await signGrant({ secret: GRANT_SECRET, read: '*', view, expiresIn: '1h' });
    return { Authorization: `Bearer ${grant}` };
  };
  return {
    gateway,
    headers: { full: await headersOf('full'), summary: await headersOf('summary') },
    async close() {
      await gateway.stop();
      await upstream.stop();
    },
  };
}
