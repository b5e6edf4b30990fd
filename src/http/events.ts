/**
 * The event stream from the caller's side (contract §10): who asks, for which jobs, whether there is room. What the
 * stream then says is its feed's business. Knows no runtime.
 */
import { Failure } from '../domain/errors.ts';
import { type InvocationId, parseInvocationId } from '../domain/job.ts';
import type { ShownGrant } from '../grant/authenticate.ts';
import type { Counters } from '../telemetry/counting-log.ts';
import type { Places } from '../watch/places.ts';
import type { OpenWatch } from '../watch/watch.ts';
import type { Admit } from './admission.ts';
import type { Exchange, FinishedReply, HeaderReader, Reply } from './exchange.ts';
import { createFeed } from './feed.ts';
import type { Life } from './life.ts';
import type { Responder } from './responder.ts';
import type { StreamReply } from './stream-reply.ts';
import type { ViewOf } from './view.ts';

export interface EventsOptions {
  readonly admit: Admit;
  readonly responder: Responder;
  readonly places: Places;
  readonly openWatch: OpenWatch;
  readonly viewOf: ViewOf;
  readonly life: Life;
  /** Where the events that were sent are counted, if anywhere. */
  readonly counters?: Pick<Counters, 'event'> | undefined;
  /** The longest that a stream lives, ms; each is drawn up to a tenth shorter. */
  readonly streamLifetimeMs: number;
  /** Epoch ms. */
  readonly now: () => number;
  /** ms of a monotonic clock. */
  readonly clock: () => number;
  /** 0 … 1, so that callers do not come back together. */
  readonly random: () => number;
}

/** @param query as it came, without the question mark; never throws, never rejects */
export type AnswerEvents = (
  exchange: Exchange,
  query: string,
  header: HeaderReader,
) => FinishedReply | StreamReply | Promise<FinishedReply | StreamReply>;

/** One must not buffer it, none may change it. */
const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
} as const;
/** A stream's answer when it has ended, for its log line. */
const SENT: Reply = { status: 200, headers: {}, body: null };
const NOTHING: ReadonlySet<InvocationId> = new Set();
const MAX_IDS = 50;
/** Contract §10, drawn. */
const RETRY_MS = [2_000, 4_000] as const;
const OVERLOADED_RETRY_MS = [10_000, 20_000] as const;

export function createEvents(options: EventsOptions): AnswerEvents {
  const { admit, responder, places, openWatch, viewOf, life, streamLifetimeMs, now, clock, random } = options;
  const count: Counters['event'] = (event) => options.counters?.event(event);

  function open(
    exchange: Exchange,
    query: string,
    header: HeaderReader,
    shown: ShownGrant | undefined,
  ): FinishedReply | StreamReply {
    const ids = idsOf(query);
    if (header('last-event-id') === 'end') return responder.finish(exchange, stop(exchange));
    const refusal = places.refusalOf(shown?.token, ids.size);
    if (refusal === 'too_many') throw new Failure('too_many_watches');
    if (life.phase() === 'closing') throw new Failure('shutting_down');
    const headers = { ...responder.headers(exchange), ...STREAM_HEADERS };
    if (exchange.method === 'HEAD') return responder.finish(exchange, { status: 200, headers, body: null });

    const isFull = refusal === 'full';
    const watched = isFull ? NOTHING : ids;
    const lifetimeMs = draw([0.9 * streamLifetimeMs, streamLifetimeMs]);
    const place = places.take(shown?.token, watched, lifetimeMs);
    const told = withoutHeaders(exchange);
    const feed = createFeed({
      ids: watched,
      grant: shown?.grant,
      viewOf,
      requestId: exchange.requestId,
      openWatch,
      retryMs: draw(isFull ? OVERLOADED_RETRY_MS : RETRY_MS),
      grantEndsAt: shown?.endsAt ?? Infinity,
      lifetimeMs,
      now,
      clock,
      shown: count,
      release: place.release,
      ended(reason, events) {
        stopListening();
        if (reason !== 'left') count('end');
        responder.finish(told, SENT, { stream: { reason, events } }).report(true);
      },
    });
    const stopListening = life.whenClosing(() => feed.end('shutdown'));
    if (isFull) feed.end('overloaded');
    return { status: 200, headers, feed };
  }

  /** To an `EventSource` that has had its `end` this is a stop; any other status would bring it back, or be an error. */
  function stop(exchange: Exchange): Reply {
    return {
      status: 204,
      headers: { ...responder.headers(exchange), 'Cache-Control': 'no-store' },
      body: null,
    };
  }

  const draw = ([min, max]: readonly [number, number]) => min + random() * (max - min);

  return (exchange, query, header) =>
    admit(exchange, header, (shown) => open(exchange, query, header, shown));
}

/** For the line at the end: of a stream that may live for minutes no header is kept but the one in its line. */
function withoutHeaders(exchange: Exchange): Exchange {
  const traceparent = exchange.header('traceparent');
  return { ...exchange, header: () => traceparent };
}

/**
 * The ids that a raw query names; the same in any case is one. Other parameters are none of ours, and an encoded
 * character is no part of an id, as in a path.
 */
function idsOf(query: string): ReadonlySet<InvocationId> {
  const named = new Set<string>();
  for (const pair of query.split('&')) {
    if (pair === 'id' || pair.startsWith('id=')) named.add(pair.slice('id='.length).toLowerCase());
  }
  if (named.size === 0 || named.size > MAX_IDS) throw new Failure('invalid_request');
  const ids = new Set<InvocationId>();
  for (const name of named) {
    const id = parseInvocationId(name);
    if (id === undefined) throw new Failure('invalid_id');
    ids.add(id);
  }
  return ids;
}
