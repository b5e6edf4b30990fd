/** How many watches there may be, of one token and of all. */
import { describe, expect, it } from 'vitest';
import { createPlaces } from '../../../src/watch/places.ts';
import { newId } from '../../support/jobs.ts';

const HOUR = 3_600_000;
let at = 0;
const clock = () => at;
const ids = (count: number) => Array.from({ length: count }, newId);

describe('places', () => {
  it('#170 are 500 for one token, byte for byte; another has its own', () => {
    const places = createPlaces(10_000, clock);
    expect(places.refusalOf('mine', 500)).toBeUndefined();
    expect(places.refusalOf('mine', 501)).toBe('too_many');
    places.take('mine', ids(450), HOUR);
    expect(places.refusalOf('mine', 50)).toBeUndefined();
    expect(places.refusalOf('mine', 51)).toBe('too_many');
    expect(places.refusalOf('Mine', 500)).toBeUndefined();
  });

  it('#170 are as many as there may be for all together', () => {
    const places = createPlaces(100, clock);
    places.take('mine', ids(60), HOUR);
    places.take(undefined, ids(30), HOUR);
    for (const token of ['mine', 'other', undefined]) {
      expect(places.refusalOf(token, 10)).toBeUndefined();
      expect(places.refusalOf(token, 11)).toBe('full');
    }
  });

  it('know no token without grants: only what all may have', () => {
    const places = createPlaces(10_000, clock);
    places.take(undefined, ids(9_000), HOUR);
    expect(places.refusalOf(undefined, 1_000)).toBeUndefined();
    expect(places.refusalOf(undefined, 1_001)).toBe('full');
  });

  it('of a token that has too many are refused as such, though there is no room either', () => {
    const places = createPlaces(500, clock);
    places.take('mine', ids(500), HOUR);
    expect(places.refusalOf('mine', 1)).toBe('too_many');
    expect(places.refusalOf('other', 1)).toBe('full');
  });

  it('are free again one by one, each once', () => {
    const places = createPlaces(2, clock);
    const [first, second] = ids(2) as [ReturnType<typeof newId>, ReturnType<typeof newId>];
    const place = places.take('mine', [first, second], HOUR);
    expect(places.refusalOf('mine', 1)).toBe('full');
    place.release(first);
    place.release(first);
    place.release(newId());
    expect([places.refusalOf('mine', 1), places.refusalOf('mine', 2)]).toEqual([undefined, 'full']);
    place.release(second);
    expect(places.refusalOf('mine', 2)).toBeUndefined();
  });

  it('of a token that has left are all its own again', () => {
    const places = createPlaces(10_000, clock);
    const mine = ids(500);
    const place = places.take('mine', mine, HOUR);
    for (const id of mine) place.release(id);
    expect(places.refusalOf('mine', 500)).toBeUndefined();
    places.take('mine', ids(500), HOUR);
    expect(places.refusalOf('mine', 1)).toBe('too_many');
  });

  it('are counted by watch, and by job', () => {
    const places = createPlaces(10, clock);
    const [first, second] = ids(2) as [ReturnType<typeof newId>, ReturnType<typeof newId>];
    expect(places.size()).toEqual({ held: 0, invocations: 0 });
    const both = places.take('mine', [first, second], HOUR);
    const one = places.take(undefined, new Set([first]), HOUR);
    expect(places.size()).toEqual({ held: 3, invocations: 2 });
    both.release(first);
    expect(places.size()).toEqual({ held: 2, invocations: 2 });
    one.release(first);
    expect(places.size()).toEqual({ held: 1, invocations: 1 });
    both.release(second);
    expect(places.size()).toEqual({ held: 0, invocations: 0 });
  });

  it('that nobody released are free again when their time is over, but only when somebody needs them', () => {
    const places = createPlaces(500, clock);
    places.take('mine', ids(499), HOUR);
    places.take('mine', ids(1), 2 * HOUR);
    at += HOUR;
    expect(places.refusalOf('mine', 1)).toBe('too_many');
    at += 60_000; // who is slow to end
    expect(places.size().held).toBe(500);
    expect(places.refusalOf('mine', 499)).toBeUndefined();
    expect(places.refusalOf('mine', 500)).toBe('too_many');
    expect(places.size()).toEqual({ held: 1, invocations: 1 });
  });

  it('may be taken beyond what there is, and of nothing', () => {
    const places = createPlaces(1, clock);
    places.take(undefined, ids(3), HOUR);
    places.take('mine', [], HOUR).release(newId());
    expect(places.size().held).toBe(3);
    expect(places.refusalOf(undefined, 0)).toBe('full');
  });
});
