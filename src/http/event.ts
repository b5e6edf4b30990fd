/**
 * The text of a stream's events (HTML standard, server-sent events). A job's own text is data only: it cannot end an
 * event or begin another.
 */
import type { Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import { errorBody } from './error-reply.ts';
import type { View } from './view.ts';

/** Why a stream ends; contract §10. */
export type EndReason = 'settled' | 'expired' | 'shutdown' | 'lifetime' | 'overloaded';

/** What is written at once, and its length in UTF-8. */
export interface Piece {
  readonly text: string;
  readonly bytes: number;
}

/** What was rendered last, by its ETag: a change is shown on all its streams in a row, and kept no longer than that. */
let lastEtag = '';
let lastPiece: Piece | undefined;

/** Rendered once for all streams that show it in a row. */
export function invocationEvent({ body, bytes, etag }: View): Piece {
  if (etag === lastEtag && lastPiece !== undefined) return lastPiece;
  // Line ends stand between tokens only; in a line of its own each part is the same JSON.
  const text = `event: invocation\ndata: ${body.replace(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
  lastEtag = etag;
  lastPiece = { text, bytes: bytes + text.length - body.length };
  return lastPiece;
}

/** The lookup's error body with the job's id. @param asOf when what is still known was given, epoch ms */
export function errorEvent(
  event: 'missing' | 'trouble',
  error: Failure,
  requestId: string,
  id: InvocationId,
  asOf?: number,
): Piece {
  const as_of = asOf === undefined ? undefined : new Date(asOf).toISOString();
  return ascii(`event: ${event}\ndata: ${JSON.stringify({ ...errorBody(error, requestId), id, as_of })}\n\n`);
}

/** After `settled` an `EventSource` that comes back says so, and is told to stop. */
export function endEvent(reason: EndReason): Piece {
  return ascii(`event: end\n${reason === 'settled' ? 'id: end\n' : ''}data: {"reason":"${reason}"}\n\n`);
}

/** How long a caller waits before it comes back, unless it knows better. */
export function retryLine(ms: number): Piece {
  return ascii(`retry: ${Math.floor(ms)}\n\n`);
}

/** Tells proxies that the connection lives. */
export const COMMENT: Piece = ascii(':\n\n');

function ascii(text: string): Piece {
  return { text, bytes: text.length };
}
