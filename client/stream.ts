/** One event stream (contract §10), from its request to its end. Knows no watch. */
import { createParser } from 'eventsource-parser';
import type { GatewayError } from './error.ts';
import { createLeash } from './pause.ts';
import { ask, errorOf, type Gateway, parseJson } from './request.ts';

/** For headers and the first byte. */
const BEGIN_MS = 5_000;
/** A gateway writes at least every 8 s. */
const SILENCE_MS = 20_000;
/** Of one event; a job has at most 256 KiB. */
const MAX_EVENT_CHARS = 2 ** 21;

/**
 * Why a stream is over. `unfit`: streams do not get through here. `silent`: it had begun, and said nothing for 20 s.
 * `ended`: its connection was closed. `broken`: it failed. `unanswered`: it failed before. An error: 401, 429 or 5xx.
 */
export type StreamEnd = 'unfit' | 'silent' | 'ended' | 'broken' | 'unanswered' | GatewayError;

export interface StreamOptions {
  readonly ids: readonly string[];
  readonly grant: string | undefined;
  readonly signal: AbortSignal;
  /** It begins, or has written something. */
  readonly onContact: () => void;
  /** How long to wait before another stream, ms. */
  readonly onRetry: (ms: number) => void;
  readonly onEvent: (event: string | undefined, data: string) => void;
}

/** Never rejects; what it says of a stream that was given up means nothing. */
export async function readStream(gateway: Gateway, options: StreamOptions): Promise<StreamEnd> {
  const { ids, grant, signal, onContact, onRetry, onEvent } = options;
  const leash = createLeash(signal, BEGIN_MS);
  let hasBegun = false;
  try {
    const response = await ask(gateway, `/events?id=${ids.join('&id=')}`, grant, leash.signal);
    const { status, headers, body } = response;
    if (status === 401 || status === 429 || status >= 500) {
      return errorOf(response, parseJson(await response.text()));
    }
    const isStream = headers.get('Content-Type')?.startsWith('text/event-stream');
    if (status !== 200 || !isStream || !body) return 'unfit';
    const parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ event, data }) => onEvent(event, data),
      onRetry,
    });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return hasBegun ? 'ended' : 'unfit';
      hasBegun = true;
      leash.renew(SILENCE_MS);
      onContact();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } catch {
    if (leash.signal.aborted) return hasBegun ? 'silent' : 'unfit';
    return hasBegun ? 'broken' : 'unanswered';
  } finally {
    leash.end();
  }
}
