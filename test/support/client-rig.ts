/** A client of the package whose network, clock, chance and page are the test's. Use it under vitest's fake timers. */
import { vi } from 'vitest';
import { type ClientOptions, createClientOf } from '../../client/client.ts';
import type { Page, PageEvent } from '../../client/page.ts';
import type { Snapshot } from '../../client/snapshot.ts';
import { type Call, createCall, GATEWAY } from './client-call.ts';
import { newId } from './jobs.ts';

export { type Call, GATEWAY, GRANT_ROUTE } from './client-call.ts';

/** What timers of 0 ms may take, ms. */
export const SLACK = 5;

/** Lets time go by, and all that follows from it happen. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** The wall clock goes on without any timer: the machine, or the page, is asleep. */
export async function sleepThrough(ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await pass(0);
}

/** Begins a hand-moved clock: timers and `Date`. End it by `vi.useRealTimers()`. */
export function holdClock(): void {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'],
    now: Date.UTC(2026, 10, 23, 12),
  });
}

/** The job's JSON as the gateway gives it. */
export function jobText(id: string, status: unknown = 'processing', more: object = {}): string {
  return JSON.stringify({ id, status, created_at: '2026-11-23T11:00:00Z', ...more });
}

export const COMPLETE = { complete: { finished_at: '2026-11-23T12:00:00Z', duration_ms: 1_500 } };

/** A body of the gateway's own errors. */
export function errorBody(error: string, retryable = true): Record<string, unknown> {
  return { error, message: `${error}.`, retryable, request_id: 'request-1' };
}

function createTestPage() {
  const listeners = new Set<(event: { readonly type: string }) => void>();
  let isHidden = false;
  const tell = (type: PageEvent) => {
    for (const listener of [...listeners]) listener({ type });
  };
  const see = (hidden: boolean) => {
    isHidden = hidden;
    tell('visibilitychange');
  };
  const page: Page = {
    isHidden: () => isHidden,
    listen(onEvent) {
      listeners.add(onEvent);
      return () => listeners.delete(onEvent);
    },
  };
  return { page, listeners, tell, hide: () => see(true), show: () => see(false) };
}

export interface RigOptions {
  readonly grant?: ClientOptions['grant'];
  readonly url?: string;
  /** 0 up to 1; all of each back-off if nothing is said. */
  readonly random?: () => number;
  /** Answers calls as they come; what it leaves is answered by the test. */
  readonly onCall?: (call: Call) => void;
}

/** A rig; see the members of what it returns. */
export function createClientRig({ grant, url = GATEWAY, random = () => 1, onCall }: RigOptions = {}) {
  let answer = onCall;
  const beganAt = Date.now();
  const calls: Call[] = [];
  const page = createTestPage();
  const client = createClientOf(
    { url, grant },
    {
      random,
      page: page.page,
      fetch(to, init) {
        const { call, response } = createCall(to, init, 10 * Math.floor((Date.now() - beganAt) / 10));
        calls.push(call);
        answer?.(call);
        return response;
      },
    },
  );
  const of = (kind: Call['kind']) => () => calls.filter((call) => call.kind === kind);
  return {
    client,
    page,
    calls,
    streams: of('stream'),
    lookups: of('lookup'),
    lists: of('list'),
    grants: of('grant'),
    now: () => Date.now() - beganAt,
    /** Answers what comes from now on. */
    setOnCall(next: RigOptions['onCall']) {
      answer = next;
    },
    /** What is under way. */
    open: () => calls.filter((call) => !call.isOver()),
    /** What is left of it all: nothing, if it came to rest. */
    left: () => ({
      calls: calls.filter((call) => !call.isOver()).length,
      timers: vi.getTimerCount(),
      listeners: page.listeners.size,
    }),
    /** Subscribes, and keeps each snapshot that was told of. */
    show(id: string = newId()) {
      const seen: Snapshot[] = [];
      const stop = client.subscribe(id, () => seen.push(client.snapshot(id)));
      return { id, seen, stop, snapshot: () => client.snapshot(id) };
    },
  };
}

export const NOTHING = { calls: 0, timers: 0, listeners: 0 };

/** How a gateway that knows every job answers; grants are `grant-1`, `grant-2` … */
export function answering(more: Partial<Record<Call['kind'], (call: Call) => void>> = {}) {
  let granted = 0;
  const usual: Record<Call['kind'], (call: Call) => void> = {
    grant: (call) => call.answer(200, { grant: `grant-${++granted}`, expires_at: 2_000_000_000 }),
    lookup: (call) => call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' }),
    list: (call) => call.answer(200, '[]'),
    stream(call) {
      call.begin('retry: 2000\n\n');
      for (const id of call.ids) call.event('invocation', jobText(id));
    },
    ...more,
  };
  return (call: Call) => usual[call.kind](call);
}

/** What came of it, or what was thrown, without waiting: the clock is ours. */
export async function outcomeOf<T>(promise: Promise<T>, ms = 10): Promise<unknown> {
  const settled = promise.then(
    (value) => value,
    (error: unknown) => error,
  );
  await pass(ms);
  return await settled;
}

/** Leaves a call to the test. */
export const byHand = () => {};
