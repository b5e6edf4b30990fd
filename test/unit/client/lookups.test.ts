/** Lookups where no stream tells of a job: two at a time, held by the gateway where that delays nobody (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  byHand,
  type Call,
  createClientRig,
  errorBody,
  GATEWAY,
  holdClock,
  jobText,
  pass,
  SLACK,
} from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

/** A gateway that has no streams. Its jobs never change; what it is asked to hold it holds for 20 s. */
function lookupRig(lookup?: (call: Call) => void, more: object = {}) {
  const usual = (call: Call) => {
    if (isWait(call)) setTimeout(() => call.answer(304, undefined, { ETag: '"1"' }), 20_000);
    else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
  };
  return createClientRig({
    onCall: answering({ stream: (call) => call.answer(404, 'no'), lookup: lookup ?? usual }),
    ...more,
  });
}

const isWait = (call: Call) => 'Prefer' in call.headers;
const kinds = (calls: readonly Call[]) => calls.map((call) => (isWait(call) ? 'wait' : 'plain'));
const gaps = (calls: readonly Call[]) => calls.slice(1).map(({ at }, index) => at - calls[index]!.at);

describe('a lookup', () => {
  it('is held by the gateway where one or two jobs are asked about: `wait=20` and the ETag it had', async () => {
    const rig = lookupRig();
    const [a, b] = [rig.show(), rig.show()];
    await pass(2_100);
    const asked = rig.lookups();
    expect(asked.map(({ url, headers }) => [url, headers])).toEqual([
      [`${GATEWAY}/api/v1/invocations/${a.id}`, {}],
      [`${GATEWAY}/api/v1/invocations/${b.id}`, {}],
      [`${GATEWAY}/api/v1/invocations/${a.id}`, { Prefer: 'wait=20', 'If-None-Match': '"1"' }],
      [`${GATEWAY}/api/v1/invocations/${b.id}`, { Prefer: 'wait=20', 'If-None-Match': '"1"' }],
    ]);
    await pass(60_000);
    expect(kinds(rig.lookups().slice(2)).every((kind) => kind === 'wait')).toBe(true);
    expect(rig.lookups()).toHaveLength(2 + 2 * 4);
  });

  it('is asked again at once when a held one brought news, for as long as that goes on', async () => {
    let round = 1;
    const rig = lookupRig((call) => {
      const answer = () => {
        round += 1;
        call.answer(200, jobText(call.ids[0]!, 'processing', { round }), { ETag: `"${round}"` });
      };
      if (isWait(call)) setTimeout(answer, 7_000);
      else answer();
    });
    rig.show();
    await pass(2_050 + 3 * 7_000 + SLACK);
    expect(rig.lookups().map(({ at }) => at)).toEqual([50, 2_050, 9_050, 16_050, 23_050]);
    expect(rig.lookups().map(({ headers }) => headers['If-None-Match'])).toEqual([
      undefined,
      '"2"',
      '"3"',
      '"4"',
      '"5"',
    ]);
  });

  it('is not held where three jobs are asked about: each every 2 s', async () => {
    const rig = lookupRig();
    const jobs = [rig.show(), rig.show(), rig.show()];
    await pass(10_050 + SLACK);
    expect(kinds(rig.lookups())).not.toContain('wait');
    for (const { id } of jobs) {
      const times = rig.lookups().filter(({ ids }) => ids[0] === id);
      expect(times.map(({ at }) => at)).toEqual([50, 2_050, 4_050, 6_050, 8_050, 10_050]);
    }
  });

  it('that is held is given up when a third job comes, which is asked about at once', async () => {
    const rig = lookupRig();
    rig.show();
    rig.show();
    await pass(5_000);
    expect(rig.open().map(isWait)).toEqual([true, true]);
    const c = rig.show();
    await pass(SLACK);
    expect(rig.lookups().at(-1)?.ids.concat(rig.lookups().at(-2)!.ids, rig.lookups().at(-3)!.ids)).toContain(
      c.id,
    );
    expect(c.snapshot().phase).toBe('live');
    expect(rig.open().filter(isWait)).toEqual([]);
  });

  it('is one of two at a time, however many there are, and none has to wait for ever', async () => {
    const rig = lookupRig((call) => {
      setTimeout(() => call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' }), 500);
    });
    const jobs = Array.from({ length: 12 }, () => rig.show());
    const most = [];
    for (let round = 0; round < 80; round++) {
      await pass(250);
      most.push(rig.open().length);
    }
    expect(Math.max(...most)).toBe(2);
    const counts = jobs.map(({ id }) => rig.lookups().filter(({ ids }) => ids[0] === id).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(Math.min(...counts)).toBeGreaterThan(4);
  });

  it('never hurries on where the gateway does not hold it (#187)', async () => {
    const rig = lookupRig((call) => {
      if (isWait(call)) call.answer(304, undefined, { ETag: '"1"' });
      else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
    });
    rig.show();
    await pass(20_050 + SLACK);
    expect(rig.lookups().map(({ at }) => at)).toEqual([
      50, 2_050, 4_050, 6_050, 8_050, 10_050, 12_050, 14_050, 16_050, 18_050, 20_050,
    ]);
  });

  it('has no wait without an ETag to wait past', async () => {
    const rig = lookupRig((call) => call.answer(200, jobText(call.ids[0]!)));
    rig.show();
    await pass(10_000);
    expect(kinds(rig.lookups())).not.toContain('wait');
    expect(
      gaps(rig.lookups())
        .slice(1)
        .every((gap) => gap >= 2_000),
    ).toBe(true);
  });

  it('is given up after 10 s, one that is held after 25 s', async () => {
    const rig = lookupRig(byHand, { random: () => 0 });
    const a = rig.show();
    await pass(50);
    const [first] = rig.lookups();
    await pass(9_999);
    expect(first!.isGivenUp()).toBe(false);
    await pass(1);
    expect(first!.isGivenUp()).toBe(true);
    await pass(SLACK);
    // Nobody answers: a stream is tried, and a lookup again after it.
    const second = rig.lookups().at(-1)!;
    expect(second).not.toBe(first);
    second.answer(200, jobText(a.id), { ETag: '"1"' });
    await pass(2_000 + SLACK);
    const held = rig.lookups().at(-1)!;
    expect(isWait(held)).toBe(true);
    await pass(24_900);
    expect(held.isOver()).toBe(false);
    await pass(200);
    expect(held.isGivenUp()).toBe(true);
  });
});

describe('waits that are cut', () => {
  const cuts: [string, (call: Call) => void][] = [
    ['an HTML 504 that the page may not read', (call) => call.fail()],
    ['an HTML 504', (call) => call.answer(504, '<p>timeout</p>', { 'Content-Type': 'text/html' })],
    ['a gateway that holds no more', (call) => call.answer(429, errorBody('too_many_watches'))],
  ];

  it.each(cuts)(
    'twice in a row are plain lookups from then on, and the job is not stale: %s (#190)',
    async (_, cut) => {
      const rig = lookupRig((call) => {
        if (isWait(call)) setTimeout(cut, 15_000, call);
        else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
      });
      const a = rig.show();
      await pass(120_000);
      expect(kinds(rig.lookups()).slice(0, 6)).toEqual(['plain', 'wait', 'plain', 'wait', 'plain', 'plain']);
      expect(kinds(rig.lookups()).filter((kind) => kind === 'wait')).toHaveLength(2);
      expect(new Set(gaps(rig.lookups().slice(6)))).toEqual(new Set([2_000]));
      expect(a.seen.filter(({ isStale }) => isStale)).toEqual([]);
    },
  );

  it('twice in a row are not tried again because the page is seen again', async () => {
    const rig = lookupRig((call) => {
      if (isWait(call)) call.fail();
      else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
    });
    rig.show();
    await pass(20_000);
    for (const event of ['online', 'resume', 'visibilitychange', 'online'] as const) {
      rig.page.tell(event);
      await pass(3_000);
    }
    expect(kinds(rig.lookups()).filter((kind) => kind === 'wait')).toHaveLength(2);
  });

  it('once, and not the next time, go on', async () => {
    let waits = 0;
    const rig = lookupRig((call) => {
      if (!isWait(call)) call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
      else if (++waits % 2 === 1) setTimeout(() => call.fail(), 15_000);
      else setTimeout(() => call.answer(304, undefined, { ETag: '"1"' }), 20_000);
    });
    rig.show();
    await pass(200_000);
    expect(waits).toBeGreaterThan(8);
  });

  it('are tried again after the five minutes of lookups', async () => {
    const rig = lookupRig((call) => {
      if (isWait(call)) call.fail();
      else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
    });
    rig.show();
    await pass(300_000);
    expect(kinds(rig.lookups()).filter((kind) => kind === 'wait')).toHaveLength(2);
    await pass(10_000);
    expect(rig.streams()).toHaveLength(2);
    expect(kinds(rig.lookups()).filter((kind) => kind === 'wait')).toHaveLength(4);
  });
});

describe('a lookup that fails', () => {
  it('backs off: 1, 2, 4, 5, 5 s with full jitter', async () => {
    let isUp = true;
    const rig = lookupRig(
      (call) => {
        if (isUp) call.answer(200, jobText(call.ids[0]!));
        else call.fail();
      },
      { random: () => 0.5 },
    );
    rig.show();
    await pass(1_000);
    isUp = false;
    const before = rig.lookups().length;
    await pass(15_000);
    expect(gaps(rig.lookups().slice(before)).slice(0, 6)).toEqual([500, 1_000, 2_000, 2_500, 2_500, 2_500]);
  });

  it('is tried again no sooner than its Retry-After', async () => {
    const rig = lookupRig((call) => {
      call.answer(503, errorBody('upstream_unavailable'), { 'Retry-After': '30' });
    });
    rig.show();
    await pass(61_000);
    expect(rig.lookups().map(({ at }) => at)).toEqual([50, 30_050, 60_050]);
  });

  it('does not hold up the other jobs', async () => {
    const rig = lookupRig((call) => {
      if (call.ids[0] === a.id) call.answer(503, errorBody('upstream_unavailable'), { 'Retry-After': '60' });
      else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
    });
    const a = rig.show();
    const [b, c] = [rig.show(), rig.show()];
    await pass(20_000);
    const counts = [a, b, c].map(({ id }) => rig.lookups().filter(({ ids }) => ids[0] === id).length);
    expect(counts).toEqual([1, 10, 10]);
  });
});
