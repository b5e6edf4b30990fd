/** Every figure of ours by its name (contract §14): what was counted, and how things are at this moment. */
import type { StoreHealth } from '../cache/store.ts';
import { VERSION } from '../domain/version.ts';
import type { Family, Sample } from './exposition.ts';
import type { Tally } from './tally.ts';

/** Of one kind of question. */
interface PresentCalls {
  readonly breaker: 'closed' | 'open' | 'half-open';
  readonly active?: number;
  readonly waiting?: number;
}

/** Present values, as `/readyz` has them. */
export interface Present {
  readonly upstream: PresentCalls;
  readonly lists: PresentCalls;
  readonly stores: readonly (StoreHealth & {
    readonly entries?: number;
    readonly bytes?: number;
    readonly evictions?: number;
  })[];
  readonly watches: { readonly held: number; readonly invocations: number };
  readonly log?: { readonly dropped: number } | undefined;
}

const PREFIX = 'chroma_sync_gateway_';

export function familiesOf({ counts }: Tally, present: Present): Family[] {
  const { upstream, lists, stores, watches, log } = present;
  const memory = stores.find(({ tier }) => tier === 'memory');
  const requests = [...counts.requests.values()].flatMap((route) => route.all());
  return [
    counter(
      'requests_total',
      'Requests that were answered; status 499: the caller had left before.',
      requests.map(({ count, ...labels }) => ({ labels, value: count })),
    ),
    {
      name: `${PREFIX}request_duration_seconds`,
      type: 'histogram',
      help: 'From a request to its answer, without streams and without lookups that wait.',
      samples: [...counts.requests].map(([route, { durations }]) => ({
        labels: { route },
        value: durations,
      })),
    },
    counter('lookups_total', 'Lookups by how they were answered.', byLabel('outcome', counts.lookups)),
    counter('errors_total', 'Errors that callers got.', byLabel('code', counts.errors)),
    counter(
      'upstream_calls_total',
      'Calls to Chroma; a retry is one more.',
      byLabel('outcome', counts.calls),
    ),
    {
      name: `${PREFIX}upstream_call_duration_seconds`,
      type: 'histogram',
      help: 'How long calls to Chroma took, failed ones too.',
      samples: [{ value: counts.callDurations }],
    },
    gauge('upstream_in_flight', 'Calls to Chroma under way.', (upstream.active ?? 0) + (lists.active ?? 0)),
    gauge(
      'upstream_queue',
      'Calls to Chroma that wait for a slot.',
      (upstream.waiting ?? 0) + (lists.waiting ?? 0),
    ),
    gauge('breaker_open', '1 while Chroma is not asked because it failed, or one probe is under way.', [
      { labels: { for: 'lookups' }, value: upstream.breaker === 'closed' ? 0 : 1 },
      { labels: { for: 'lists' }, value: lists.breaker === 'closed' ? 0 : 1 },
    ]),
    gauge('cache_entries', 'Answers in memory.', memory?.entries ?? 0),
    gauge('cache_bytes', 'Bytes that answers in memory count for, of CACHE_MAX_BYTES.', memory?.bytes ?? 0),
    counter('cache_evictions_total', 'Answers that others pushed out of memory.', memory?.evictions ?? 0),
    gauge(
      'store_up',
      '1 while a tier takes and gives answers.',
      stores.map(({ tier, ok }) => ({ labels: { tier }, value: ok ? 1 : 0 })),
    ),
    gauge('watchers', 'Watches that are held, one per job of a stream and one per wait.', watches.held),
    gauge('watched_invocations', 'Different jobs that are watched.', watches.invocations),
    counter('events_total', 'Events that streams sent.', byLabel('event', counts.events)),
    counter(
      'settled_total',
      'Calls to Chroma that brought the end of a job.',
      byLabel('state', counts.settled),
    ),
    {
      name: `${PREFIX}job_duration_seconds`,
      type: 'histogram',
      help: 'How long jobs took by their own account, each time a call to Chroma brought a complete one.',
      samples: [...counts.jobDurations].map(([source, value]) => ({ labels: { source }, value })),
    },
    counter(
      'contract_drift_total',
      'Answers of Chroma with a status that is not known.',
      counts.contractDrift,
    ),
    counter('log_lines_dropped_total', 'Log lines that could not be written.', log?.dropped ?? 0),
    gauge('build_info', '1, and which version this is.', [{ labels: { version: VERSION }, value: 1 }]),
  ];
}

function counter(name: string, help: string, samples: number | readonly Sample[]): Family {
  return { name: PREFIX + name, type: 'counter', help, samples: samplesOf(samples) };
}

function gauge(name: string, help: string, samples: number | readonly Sample[]): Family {
  return { name: PREFIX + name, type: 'gauge', help, samples: samplesOf(samples) };
}

function samplesOf(samples: number | readonly Sample[]): readonly Sample[] {
  return typeof samples === 'number' ? [{ value: samples }] : samples;
}

function byLabel(label: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }));
}
