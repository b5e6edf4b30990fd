/** Gateways and proxies that disagree, hang, or let little through: no storm, and nothing shown as right that is not known to be. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  answering,
  byHand,
  type Call,
  createClientRig,
  errorBody,
  GRANT_ROUTE,
  holdClock,
  jobText,
  pass,
} from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const noStreams = (call: Call) => call.answer(404, 'no');
const isWait = (call: Call) => 'Prefer' in call.headers;

it('two gateways that disagree, each with another ETag, are asked every 2 s and no more', async () => {
  let turn = 0;
  const rig = createClientRig({
    onCall: answering({
      stream: noStreams,
      lookup(call) {
        turn += 1;
        setTimeout(
          () =>
            call.answer(200, jobText(call.ids[0]!, 'processing', { of: turn % 2 }), {
              ETag: `"${turn % 2}"`,
            }),
          30,
        );
      },
    }),
  });
  rig.show();
  await pass(20_000);
  expect(rig.lookups().length).toBeLessThanOrEqual(11);
});

it('a page that is shown again and again leaves a grant that is on its way alone', async () => {
  const rig = createClientRig({
    grant: GRANT_ROUTE,
    onCall: answering({
      grant: (call) => void setTimeout(() => call.answer(200, { grant: 'grant-1' }), 2_000),
    }),
  });
  const a = rig.show();
  for (let round = 0; round < 6; round++) {
    await pass(700);
    rig.page.hide();
    await pass(700);
    rig.page.show();
  }
  expect(rig.grants()).toHaveLength(1);
  expect(a.snapshot().phase).toBe('live');
});

it.each([
  ['ended at once', (call: Call) => call.begin('retry: 2000\n\n').end()],
  [
    'cut after 4 s',
    (call: Call) => {
      call.begin('retry: 2000\n\n');
      setTimeout(() => call.fail(), 4_000);
    },
  ],
])('streams that begin, tell nothing and are %s give way to lookups', async (_what, stream) => {
  const rig = createClientRig({ onCall: answering({ stream }) });
  const a = rig.show();
  await pass(30_000);
  expect(a.snapshot().phase).toBe('live');
  expect(rig.streams().length).toBeLessThan(8);
});

it('a job that is stale is asked about plainly, and is right within 2 s of the cure', async () => {
  let isIll = true;
  const rig = createClientRig({
    onCall: answering({
      stream: noStreams,
      lookup(call) {
        const stale = {
          'Cache-Status': 'chroma-sync-gateway; hit; detail=stale-if-error',
          Date: 'Mon, 23 Nov 2026 11:59:00 GMT',
        };
        if (isWait(call)) setTimeout(() => call.answer(304, undefined, { ETag: '"1"' }), 20_000);
        else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"', ...(isIll && stale) });
      },
    }),
  });
  const a = rig.show();
  await pass(5_000);
  expect(a.snapshot()).toMatchObject({ isStale: true, asOf: new Date('2026-11-23T11:59:00Z') });
  isIll = false;
  await pass(2_000);
  expect(a.snapshot()).toMatchObject({ isStale: false });
});

it('of 50 jobs that lookups ask about none is shown as right 20 s after the gateway began to hang', async () => {
  const rig = createClientRig({ onCall: answering({ stream: noStreams }) });
  const jobs = Array.from({ length: 50 }, () => rig.show());
  await pass(6_000);
  rig.setOnCall(byHand);
  await pass(20_000);
  expect(jobs.filter((job) => !job.snapshot().isStale)).toEqual([]);
});

it('a page that is hidden while lookups ask shows its jobs as stale, like one that has a stream', async () => {
  const rig = createClientRig({ onCall: answering({ stream: noStreams }) });
  const a = rig.show();
  await pass(5_000);
  rig.page.hide();
  await pass(60_000);
  expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true });
});

it('ids that no stream tells of are asked about though the set changes all the time (#192)', async () => {
  const rig = createClientRig({
    onCall: answering({ stream: (call) => void call.begin('retry: 2000\n\n') }),
  });
  const a = rig.show();
  for (let round = 0; round < 4; round++) {
    const { stop } = rig.show();
    await pass(4_000);
    stop();
  }
  expect(a.snapshot().phase).toBe('live');
});

it('a job that a lookup has found is not missing because another gateway does not know it yet', async () => {
  const rig = createClientRig({
    onCall: answering({
      stream(call) {
        call.begin('retry: 2000\n\n');
        for (const id of call.ids) call.event('missing', { ...errorBody('not_found'), id });
      },
      lookup(call) {
        if (rig.now() < 14_000) call.answer(404, errorBody('not_found'));
        else call.answer(200, jobText(call.ids[0]!));
      },
    }),
  });
  const a = rig.show();
  await pass(25_000);
  expect(a.snapshot().phase).toBe('live');
});

it('a stream that calls a job missing which lookups find costs one grant, and not one per stream', async () => {
  const rig = createClientRig({
    grant: GRANT_ROUTE,
    onCall: answering({
      stream(call) {
        call.begin('retry: 2000\n\n');
        for (const id of call.ids) call.event('missing', { ...errorBody('not_found'), id });
      },
    }),
  });
  const a = rig.show();
  await pass(20_000);
  expect(a.snapshot().phase).toBe('live');
  expect(rig.grants()).toHaveLength(2);
});

it('events of a hidden page do not put off that it lets go', async () => {
  const rig = createClientRig({ onCall: answering() });
  rig.show();
  await pass(1_000);
  rig.page.hide();
  for (let round = 0; round < 3; round++) {
    await pass(6_000);
    rig.page.tell('online');
  }
  await pass(1_000);
  expect(rig.open()).toEqual([]);
});
