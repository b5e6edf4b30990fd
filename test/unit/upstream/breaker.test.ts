/** The breaker by itself (contract §6): what opens it, its one probe, and what says nothing of now. */
import { beforeEach, describe, expect, it } from 'vitest';
import { asGatewayError } from '../../../src/domain/errors.ts';
import { type Breaker, createBreaker } from '../../../src/upstream/breaker.ts';
import type { News } from '../../../src/upstream/weight.ts';

const LOST_AFTER_MS = 9_000;

let now: number;
let breaker: Breaker;
beforeEach(() => {
  now = 500_000;
  breaker = createBreaker({ now: () => now, lostAfterMs: LOST_AFTER_MS });
});

const tell = (news: News) => breaker.run(async () => ({ news }));
async function tellAll(news: News, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await tell(news);
}
/** A call that goes on until it is told its outcome; a probe if one is due. */
function begin(): (news: News) => Promise<unknown> {
  breaker.refuse();
  const { promise, resolve } = Promise.withResolvers<{ news: News }>();
  const done = breaker.run(() => promise);
  return (news) => {
    resolve({ news });
    return done;
  };
}
/** Seconds that a caller is told to wait; `undefined` when a call may be made. */
function refusal(): number | undefined {
  try {
    breaker.refuse();
    return undefined;
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'upstream_unavailable', secondhand: true });
    return asGatewayError(thrown).retryAfter;
  }
}
async function open(): Promise<void> {
  await tellAll('bad', 20);
  expect(breaker.state()).toBe('open');
}

describe('closed', () => {
  it('#116 it opens at twenty calls of which half have failed, and not before', async () => {
    await tellAll('good', 9);
    await tellAll('bad', 10);
    expect(breaker.state()).toBe('closed');
    await tell('bad');
    expect(breaker.state()).toBe('open');
  });

  it('half exactly is enough, less is not', async () => {
    await tellAll('good', 50);
    await tellAll('bad', 49);
    expect(breaker.state()).toBe('closed');
    await tell('bad');
    expect(breaker.state()).toBe('open');
  });

  it('counts calls that upstream answered or did not, and nothing else', async () => {
    for (const news of ['old', 'answered', 'nothing'] as const) await tellAll(news, 100);
    await tellAll('bad', 19);
    for (const news of ['old', 'answered', 'nothing'] as const) await tellAll(news, 100);
    expect(breaker.state()).toBe('closed');
    await tell('bad');
    expect(breaker.state()).toBe('open');
  });

  it('looks at the last ten seconds, also after an idle time', async () => {
    for (const waitMs of [10_000, 60_000, 86_400_000]) {
      await tellAll('bad', 19);
      now += waitMs;
    }
    expect(breaker.state()).toBe('closed');
    for (let second = 0; second < 10; second++) {
      await tellAll('bad', 2);
      if (second < 9) expect(breaker.state()).toBe('closed');
      now += 999;
    }
    expect(breaker.state()).toBe('open');
  });
});

describe('open', () => {
  it('#65 it tells the time to the probe, makes one, and tells the others to come in a second', async () => {
    await open();
    expect(refusal()).toBe(5);
    now += 3_001;
    expect(refusal()).toBe(2);
    now += 1_998;
    expect(refusal()).toBe(1);
    now += 1;
    const probe = begin();
    expect(breaker.state()).toBe('half-open');
    expect(refusal()).toBe(1);
    await probe('good');
    expect(breaker.state()).toBe('closed');
    expect(refusal()).toBeUndefined();
  });

  it.each([
    ['good', 'closed', undefined],
    ['answered', 'closed', undefined],
    ['bad', 'open', 5],
    ['old', 'open', 5],
    ['nothing', 'open', undefined],
  ] as const)('a probe that ends in %s leaves it %s', async (news, state, seconds) => {
    await open();
    now += 5_000;
    await begin()(news);
    expect(breaker.state()).toBe(state);
    expect(refusal()).toBe(seconds);
  });

  it('once closed it begins anew: what failed before is forgotten', async () => {
    await open();
    now += 5_000;
    await begin()('answered');
    await tellAll('bad', 19);
    expect(breaker.state()).toBe('closed');
  });
});

describe('what began before the last change', () => {
  it.each(['good', 'bad', 'old', 'answered', 'nothing'] as const)(
    'and ends in %s changes nothing',
    async (news) => {
      const early = Array.from({ length: 60 }, begin);
      await open();
      now += 1_000;
      for (const end of early.slice(0, 20)) await end(news);
      expect([breaker.state(), refusal()]).toEqual(['open', 4]);
      now += 4_000;
      const probe = begin();
      for (const end of early.slice(20, 40)) await end(news);
      expect([breaker.state(), refusal()]).toEqual(['half-open', 1]);
      await probe('good');
      for (const end of early.slice(40)) await end(news);
      expect([breaker.state(), refusal()]).toEqual(['closed', undefined]);
    },
  );
});

describe('a probe that is never heard of again, as when workerd drops the request that made it (#135)', () => {
  it('keeps it half-open until it must have ended, not for ever', async () => {
    await open();
    now += 5_000;
    begin();
    now += LOST_AFTER_MS;
    expect(refusal()).toBe(1);
    now += 1;
    const next = begin();
    expect([breaker.state(), refusal()]).toEqual(['half-open', 1]);
    await next('good');
    expect(breaker.state()).toBe('closed');
  });

  it.each(['good', 'bad', 'old', 'answered', 'nothing'] as const)(
    'and then ends in %s after all says nothing: the next one decides',
    async (news) => {
      await open();
      now += 5_000;
      const lost = begin();
      now += LOST_AFTER_MS + 1;
      const next = begin();
      await lost(news);
      expect([breaker.state(), refusal()]).toEqual(['half-open', 1]);
      await next('bad');
      expect([breaker.state(), refusal()]).toEqual(['open', 5]);
    },
  );
});
