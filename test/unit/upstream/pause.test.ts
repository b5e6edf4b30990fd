/** Upstream's wish to be left alone (contract §6, #64): the 401's half minute and the 429's time, side by side. */
import { beforeEach, describe, expect, it } from 'vitest';
import { asFailure, Failure } from '../../../src/domain/errors.ts';
import { createPauses, type Pause } from '../../../src/upstream/pause.ts';

let now: number;
let pause: Pause;
beforeEach(() => {
  now = 1_000;
  pause = createPauses(() => now)();
});

const auth = (secondhand = false) => new Failure('upstream_auth', { secondhand });
const limited = (retryAfter: number) => new Failure('upstream_rate_limited', { retryAfter });
/** What a caller is told, and after how many seconds to come again. */
function told(): readonly [string, number | undefined] {
  try {
    pause.check();
    return ['ok', undefined];
  } catch (thrown) {
    const { code, retryAfter } = asFailure(thrown);
    return [code, retryAfter];
  }
}

describe('after a 401', () => {
  it('everybody is told so for 30 s; then one is let through, and the others wait another 30 s', () => {
    pause.admit();
    pause.learn(auth());
    for (const atMs of [0, 15_000, 29_999]) {
      now = 1_000 + atMs;
      expect(told()).toEqual(['upstream_auth', 30]);
      expect(() => pause.admit()).toThrow();
      expect(pause.health()).toEqual({ paused: 'upstream_auth' });
    }
    now = 31_000;
    expect(told()[0]).toBe('ok');
    pause.admit();
    expect(told()).toEqual(['upstream_auth', 30]);
    now += 30_000;
    expect(told()[0]).toBe('ok');
  });

  it('a probe that never came to upstream leaves its place to the next caller', () => {
    pause.learn(auth());
    now += 30_000;
    const probe = pause.admit();
    expect(told()[0]).toBe('upstream_auth');
    pause.release(probe);
    expect(told()[0]).toBe('ok');
    pause.admit();
    expect(told()[0]).toBe('upstream_auth'); // still one at a time
  });

  it('a call that began before the refusal neither ends the wait nor gives its place away', () => {
    const early = pause.admit();
    pause.learn(auth());
    pause.release(early);
    expect(told()[0]).toBe('upstream_auth');
    pause.end(early);
    expect(told()[0]).toBe('upstream_auth');
  });

  it('nor does a probe that another refusal has overtaken', () => {
    pause.learn(auth());
    now += 30_000;
    const first = pause.admit();
    now += 30_000;
    pause.admit();
    pause.learn(auth());
    for (const outdated of [pause.release, pause.end]) {
      outdated(first);
      expect(told()[0]).toBe('upstream_auth');
    }
  });

  it('what was only told of it again does not outdate a probe under way', () => {
    pause.learn(auth());
    now += 30_000;
    const probe = pause.admit();
    pause.learn(auth(true));
    expect(told()[0]).toBe('upstream_auth');
    pause.end(probe);
    expect(told()[0]).toBe('ok');
    pause.learn(auth());
    now += 30_000;
    const next = pause.admit();
    pause.learn(auth());
    pause.end(next);
    expect(told()[0]).toBe('upstream_auth'); // a refusal of its own does
  });
});

describe('a 401 and a 429', () => {
  it('in any order: 30 s of upstream_auth, then what is left of the other, then one probe', () => {
    for (const both of [
      [auth(), limited(90)],
      [limited(90), auth()],
    ]) {
      pause = createPauses(() => now)();
      for (const each of both) pause.learn(each);
      const startedAt = now;
      now = startedAt + 29_999;
      expect(told()).toEqual(['upstream_auth', 30]);
      now = startedAt + 30_000;
      expect(told()).toEqual(['upstream_rate_limited', 60]);
      now = startedAt + 90_000;
      expect(told()[0]).toBe('ok');
      pause.admit();
      expect(told()).toEqual(['upstream_auth', 30]);
    }
  });

  it('a 429 of a second does not let anybody through to a refused key', () => {
    pause.learn(auth());
    pause.learn(limited(1));
    now += 1_000;
    expect(told()).toEqual(['upstream_auth', 30]);
  });

  it('a good answer ends the wait for the key, not the other’s time', () => {
    pause.learn(auth());
    now += 30_000;
    const probe = pause.admit();
    pause.learn(limited(10));
    pause.end(probe);
    expect(told()).toEqual(['upstream_rate_limited', 10]);
  });
});

describe('the pauses of two guards around one upstream', () => {
  const makePause = () => createPauses(() => now);
  const codeOf = (one: Pause) => one.health().paused ?? 'ok';

  it('#200 begin and end together, whoever learned of it', () => {
    const create = makePause();
    const [lookups, lists] = [create(), create()];
    lists.learn(limited(10));
    expect([codeOf(lookups), codeOf(lists)]).toEqual(['upstream_rate_limited', 'upstream_rate_limited']);
    now += 10_000;
    lookups.learn(auth());
    expect([codeOf(lookups), codeOf(lists)]).toEqual(['upstream_auth', 'upstream_auth']);
    now += 30_000;
    lists.end(lists.admit());
    expect([codeOf(lookups), codeOf(lists)]).toEqual(['ok', 'ok']);
  });

  it('#200 are each probed by their own: one whose probe hangs, or meets a 500, holds up nobody else', () => {
    const create = makePause();
    const [lookups, lists] = [create(), create()];
    lookups.learn(auth());
    now += 30_000;
    lists.admit(); // and nothing more is heard of it
    expect([codeOf(lookups), codeOf(lists)]).toEqual(['ok', 'upstream_auth']);
    const probe = lookups.admit();
    expect(codeOf(lookups)).toBe('upstream_auth'); // one at a time
    lookups.end(probe);
    expect([codeOf(lookups), codeOf(lists)]).toEqual(['ok', 'ok']);
  });

  it('#200 go on together when a probe of either is refused', () => {
    const create = makePause();
    const [lookups, lists] = [create(), create()];
    lookups.learn(auth());
    now += 30_000;
    lists.admit();
    lists.learn(auth());
    expect([codeOf(lookups), codeOf(lists)]).toEqual(['upstream_auth', 'upstream_auth']);
  });
});
