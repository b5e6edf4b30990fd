/** A stream as the body of a web `Response`: pulled, given up, cancelled, closed. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readableOf } from '../../../src/http/readable.ts';
import { createFeedRig, gist } from '../../support/feed-rig.ts';
import { COMPLETE } from '../../support/jobs.ts';

const GIVE_UP = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function open() {
  const rig = createFeedRig();
  let tellLeft = () => {};
  const body = readableOf(rig.feed, (tell) => {
    tellLeft = tell;
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  return {
    ...rig,
    reader,
    async read(): Promise<string | undefined> {
      const { value } = await reader.read();
      return value && gist(decoder.decode(value));
    },
    /** The host says that the caller left. */
    tellLeft: () => tellLeft(),
    isClear: () => vi.getTimerCount() === 0 && rig.watchers.size === 0,
  };
}

describe('a body', () => {
  it('begins at once, and gives one piece for each read, when there is one', async () => {
    const { read, now, watchers, feed } = open();
    expect(watchers.size).toBe(1);
    expect(await read()).toBe('retry: 3000');
    const next = read();
    await vi.advanceTimersByTimeAsync(5_000);
    now('pending');
    expect(await next).toBe('pending');
    now('processing', 'é');
    const pull = vi.spyOn(feed, 'pull');
    expect(await read()).toBe('processing');
    expect(pull.mock.calls).toEqual([[0]]);
  });

  it('#162 pulls nothing that nobody reads: the newest state is read when it is read', async () => {
    const { read, now } = open();
    expect(await read()).toBe('retry: 3000');
    now('pending');
    await vi.advanceTimersByTimeAsync(100);
    now('processing');
    expect(await read()).toBe('processing');
  });

  it('closes after its end, and nothing is left', async () => {
    const { read, now, isClear, ended } = open();
    now(COMPLETE);
    expect([await read(), await read(), await read()]).toEqual(['retry: 3000', 'complete', 'end settled']);
    expect(await read()).toBeUndefined();
    expect(isClear()).toBe(true);
    expect(ended).toEqual([['settled', 1]]);
  });

  it('closes a read that waits for more when the end is due', async () => {
    const { read, feed } = open();
    await read();
    const next = read();
    await vi.advanceTimersByTimeAsync(0);
    feed.end('shutdown');
    expect(await next).toBe('end shutdown');
    expect(await read()).toBeUndefined();
  });
});

describe('a caller that leaves', () => {
  it.each<[string, boolean, boolean]>([
    ['while it waits for more', true, true],
    ['while something waits for it', true, false],
    ['before it has read', false, false],
  ])('#161 %s leaves nothing behind', async (_what, hasRead, isReading) => {
    const { read, reader, now, isClear, ended } = open();
    if (hasRead) await read();
    const next = isReading ? read() : undefined;
    await vi.advanceTimersByTimeAsync(0);
    if (!isReading) now('pending');
    await reader.cancel();
    expect(await next).toBeUndefined();
    expect(isClear()).toBe(true);
    expect(ended).toEqual([['left', 0]]);
    await vi.advanceTimersByTimeAsync(10 * GIVE_UP);
    expect(ended).toHaveLength(1);
  });

  it('#203 of which only the host tells leaves nothing behind, read or not; a second word changes nothing', async () => {
    for (const isReading of [true, false]) {
      const { read, reader, tellLeft, isClear, ended } = open();
      await read();
      const next = isReading ? read() : undefined;
      next?.catch(() => {});
      tellLeft();
      if (isReading) expect(await next).toBeUndefined();
      expect([isClear(), ended]).toEqual([true, [['left', 0]]]);
      tellLeft();
      await reader.cancel().catch(() => {});
      expect(ended).toHaveLength(1);
    }
  });
});

describe('#162 a body that nobody reads', () => {
  it('is given up a minute after its first text, and nothing is left', async () => {
    const { reader, isClear, ended } = open();
    const closed = expect(reader.closed).rejects.toThrow('nobody reads');
    await vi.advanceTimersByTimeAsync(GIVE_UP - 1);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await closed;
    expect(ended).toEqual([['left', 0]]);
    expect(isClear()).toBe(true);
  });

  it('any more is given up within 90 s', async () => {
    const { read, reader, ended } = open();
    await read();
    const closed = expect(reader.closed).rejects.toThrow('nobody reads');
    await vi.advanceTimersByTimeAsync(90_000);
    await closed;
    expect(ended).toEqual([['left', 0]]);
  });

  it('is not given up while it is read, however slowly', async () => {
    const { read, ended } = open();
    for (let reads = 0; reads < 5; reads++) {
      await vi.advanceTimersByTimeAsync(GIVE_UP - 1_000);
      expect(await read()).toBe(reads === 0 ? 'retry: 3000' : ':');
    }
    expect(ended).toEqual([]);
  });
});
