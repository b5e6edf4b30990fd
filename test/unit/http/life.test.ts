/** Who is told that the process closes, and when. */
import { describe, expect, it } from 'vitest';
import { createLife, ENDLESS } from '../../../src/http/life.ts';

function toldTimes() {
  let times = 0;
  return { tell: () => void times++, times: () => times };
}

describe('a life', () => {
  it('serves, drains, closes; who asked to be told is told when it closes, not when it drains', () => {
    const life = createLife();
    const { tell, times } = toldTimes();
    life.whenClosing(tell);
    expect(life.phase()).toBe('serving');
    life.drain();
    expect([life.phase(), times()]).toEqual(['draining', 0]);
    life.close();
    expect([life.phase(), times()]).toEqual(['closing', 1]);
  });

  it('tells everybody, and nobody who has taken it back', () => {
    const life = createLife();
    const [first, gone, last] = [toldTimes(), toldTimes(), toldTimes()];
    life.whenClosing(first.tell);
    const takeBack = life.whenClosing(gone.tell);
    life.whenClosing(last.tell);
    takeBack();
    takeBack();
    life.close();
    expect([first, gone, last].map(({ times }) => times())).toEqual([1, 0, 1]);
  });

  it('may be taken back while it is told', () => {
    const life = createLife();
    const others = [toldTimes(), toldTimes()];
    for (const { tell } of others) {
      const takeBack = life.whenClosing(() => {
        tell();
        takeBack();
      });
    }
    life.close();
    expect(others.map(({ times }) => times())).toEqual([1, 1]);
  });

  it('that closes already tells who comes late at once: a grant may take its time to be verified', () => {
    const life = createLife();
    life.close();
    const { tell, times } = toldTimes();
    life.whenClosing(tell)();
    expect(times()).toBe(1);
  });

  it('of an isolate never ends', () => {
    const { tell, times } = toldTimes();
    ENDLESS.whenClosing(tell)();
    expect([ENDLESS.phase(), times()]).toEqual(['serving', 0]);
  });
});
