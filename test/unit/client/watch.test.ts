/** `wait`, `watch`, `subscribe` and `close` (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Invocation } from '../../../client/invocation.ts';
import {
  answering,
  COMPLETE,
  createClientRig,
  errorBody,
  GRANT_ROUTE,
  holdClock,
  jobText,
  NOTHING,
  pass,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** How a promise ends, without anybody who waits for it. */
function followed<T>(promise: Promise<T>) {
  const end: { value?: T; error?: unknown; isOver: boolean } = { isOver: false };
  promise.then(
    (value) => Object.assign(end, { value, isOver: true }),
    (error: unknown) => Object.assign(end, { error, isOver: true }),
  );
  return end;
}

/** Reads all, and keeps it. */
function readAll(jobs: AsyncIterable<Invocation>) {
  const read: Invocation[] = [];
  const end = followed(
    (async () => {
      for await (const job of jobs) read.push(job);
    })(),
  );
  return { read, end };
}

describe('wait', () => {
  it.each([
    ['complete', COMPLETE],
    ['failed', { failed: { error: 'gone' } }],
    ['cancelled', 'cancelled'],
  ])('resolves when the job is %s, and leaves nothing behind', async (state, status) => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const end = followed(rig.client.wait(id));
    await pass(10_000);
    expect(end.isOver).toBe(false);
    rig.streams()[0]!.event('invocation', jobText(id, status));
    await pass(0);
    expect(end.value).toMatchObject({ id, state, isTerminal: true });
    await pass(999);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('waits out whatever the gateway, a proxy or the network may do', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const end = followed(rig.client.wait(id));
    const failing = [
      answering({ stream: (call) => call.fail(), lookup: (call) => call.fail() }),
      answering({ stream: (call) => call.answer(503, errorBody('upstream_rejected', false)) }),
      answering({
        stream: (call) => call.answer(403),
        lookup: (call) => call.answer(502, errorBody('upstream_forbidden', false)),
      }),
      answering({ stream: (call) => call.answer(403), lookup: (call) => call.answer(403, '<p>no</p>') }),
      answering({
        stream: (call) => call.answer(403),
        lookup: (call) => call.answer(405, errorBody('method_not_allowed', false)),
      }),
      answering({
        stream: (call) => call.answer(403),
        lookup: (call) => call.answer(404, '<p>not found</p>'),
      }),
    ];
    for (const onCall of failing) {
      await pass(1_000);
      for (const call of rig.open()) call.fail();
      rig.setOnCall(onCall);
      await pass(60_000);
      expect(end.isOver).toBe(false);
    }
    rig.setOnCall(answering({ lookup: (call) => call.answer(200, jobText(id, COMPLETE)) }));
    await pass(5_100);
    expect(end.value).toMatchObject({ state: 'complete' });
  });

  it('rejects with `closed` when the client is closed', async () => {
    const rig = createClientRig({ onCall: answering() });
    const end = followed(rig.client.wait(newId()));
    await pass(1_000);
    rig.client.close();
    await pass(0);
    expect(end.error).toMatchObject({ name: 'GatewayError', code: 'closed', retryable: false });
  });
});

describe('a signal', () => {
  it.each([new Error('enough'), 'a text', 0, undefined])(
    'ends wait and watch with its reason: %s',
    async (reason) => {
      const rig = createClientRig({ onCall: answering() });
      const controller = new AbortController();
      const { signal } = controller;
      const waiting = followed(rig.client.wait(newId(), { signal }));
      const watching = readAll(rig.client.watch(newId(), { signal }));
      await pass(5_000);
      controller.abort(reason);
      await pass(0);
      expect([waiting.error, watching.end.error]).toEqual([signal.reason, signal.reason]);
      await pass(999);
      expect(rig.left()).toEqual(NOTHING);
    },
  );

  it('that is aborted already costs no request', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const end = followed(rig.client.wait(newId(), { signal: AbortSignal.abort('no') }));
    await pass(1_000);
    expect([end.error, rig.calls.length]).toEqual(['no', 0]);
  });

  it('has no listener left when the job is terminal', async () => {
    const rig = createClientRig({ onCall: answering() });
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const id = newId();
    const end = followed(rig.client.wait(id, { signal }));
    await pass(1_000);
    rig.streams()[0]!.event('invocation', jobText(id, COMPLETE));
    await pass(0);
    expect(end.isOver).toBe(true);
    expect(add.mock.calls.length).toBeGreaterThan(0);
    expect(remove.mock.calls.map(([, listener]) => listener)).toEqual(
      add.mock.calls.map(([, listener]) => listener),
    );
  });
});

describe('watch', () => {
  it('gives the job whenever its JSON changed, and returns after the terminal one', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const { read, end } = readAll(rig.client.watch(id));
    await pass(1_000);
    const [stream] = rig.streams();
    for (const round of [1, 1, 2, 2, 3]) {
      stream!.event('invocation', jobText(id, 'processing', { round }));
      await pass(1_000);
    }
    stream!.event('trouble', { ...errorBody('upstream_error'), id });
    await pass(1_000);
    stream!.event('invocation', jobText(id, COMPLETE));
    await pass(0);
    expect(end).toEqual({ isOver: true, value: undefined });
    expect(read.map(({ state, raw }) => [state, (raw as { round?: number }).round])).toEqual([
      ['processing', undefined],
      ['processing', 1],
      ['processing', 2],
      ['processing', 3],
      ['complete', undefined],
    ]);
  });

  it('gives a slow reader the newest only', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const jobs = rig.client.watch(id);
    const first = followed(jobs.next());
    await pass(1_000);
    expect(first.value).toMatchObject({ done: false, value: { state: 'processing' } });
    for (let round = 0; round < 50; round++) {
      rig.streams()[0]!.event('invocation', jobText(id, 'processing', { round }));
    }
    await pass(5_000);
    const second = await jobs.next();
    expect(second.value).toMatchObject({ raw: { round: 49 } });
    rig.streams()[0]!.event('invocation', jobText(id, 'processing', { round: 50 }));
    rig.streams()[0]!.event('invocation', jobText(id, COMPLETE));
    await pass(1_000);
    expect((await jobs.next()).value).toMatchObject({ state: 'complete' });
    expect(await jobs.next()).toEqual({ done: true, value: undefined });
  });

  it('that its reader leaves lets go', async () => {
    const rig = createClientRig({ onCall: answering() });
    const end = followed(
      (async () => {
        for await (const job of rig.client.watch(newId())) if (job) break;
      })(),
    );
    await pass(1_000);
    expect(end.isOver).toBe(true);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('begins with what is known', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(1_000);
    expect((await rig.client.watch(a.id).next()).value).toBe(a.snapshot().invocation);
  });
});

describe('subscribe', () => {
  it('tells nobody who has stopped, not even by the news that made him stop (#185)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const told: string[] = [];
    rig.client.subscribe(id, () => {
      told.push('first');
      stop();
    });
    const stop = rig.client.subscribe(id, () => told.push('second'));
    await pass(1_000);
    expect(told).toEqual(['first']);
  });

  it('ends once: to stop twice ends nothing that came later', async () => {
    const rig = createClientRig({ onCall: answering() });
    const { id, stop } = rig.show();
    await pass(5_000);
    stop();
    stop();
    const again = rig.show(id);
    stop();
    await pass(5_000);
    expect([again.snapshot().phase, rig.open().length, rig.calls.length]).toEqual(['live', 1, 1]);
  });

  it('may be done and undone by a listener itself', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    let told = 0;
    const onChange = () => {
      told += 1;
      stop();
      stop = rig.client.subscribe(id, onChange);
    };
    let stop = rig.client.subscribe(id, onChange);
    await pass(1_000);
    expect([told, rig.calls.length]).toEqual([1, 1]);
  });

  it('by a listener that throws ends nothing: others are told, and the error is thrown to the page', async () => {
    const thrown: unknown[] = [];
    vi.stubGlobal('queueMicrotask', (work: () => void) => {
      try {
        work();
      } catch (error) {
        thrown.push(error);
      }
    });
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const failure = new Error('in the application');
    rig.client.subscribe(id, () => {
      throw failure;
    });
    const a = rig.show(id);
    const b = rig.show();
    await pass(1_000);
    rig.streams()[0]!.event('invocation', jobText(id, COMPLETE));
    await pass(1_000);
    expect(thrown).toEqual([failure, failure]);
    expect(a.seen.map(({ phase }) => phase)).toEqual(['live', 'settled']);
    expect([b.snapshot().phase, rig.open().length]).toEqual(['live', 1]);
  });
});

describe('close', () => {
  it('ends all watches, at once; whoever subscribes later opens anew (#194)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const [a, b] = [rig.show(), rig.show()];
    await pass(5_000);
    rig.client.close();
    expect([a, b].map((job) => job.snapshot().error?.code)).toEqual(['closed', 'closed']);
    await pass(0);
    expect(rig.left()).toEqual(NOTHING);
    a.stop();
    const again = rig.show(a.id);
    await pass(100);
    expect(again.snapshot()).toMatchObject({ phase: 'live', isStale: false, error: undefined });
    // Who holds the other has not subscribed anew.
    expect(b.snapshot().phase).toBe('error');
    expect(rig.streams().map(({ ids }) => ids)).toEqual([[a.id, b.id], [a.id]]);
  });

  it('between two effects of StrictMode costs one stream (#194)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    const first = rig.show(id);
    first.stop();
    rig.client.close();
    const second = rig.show(id);
    await pass(5_000);
    expect(second.snapshot().phase).toBe('live');
    expect(rig.calls).toHaveLength(1);
  });

  it('of a client that watches nothing is harmless', () => {
    const rig = createClientRig();
    rig.client.close();
    rig.client.close();
    expect(rig.left()).toEqual(NOTHING);
  });
});
