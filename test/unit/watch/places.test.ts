/** How many watches there may be, of one token and of all. */
import { describe, expect, it } from 'vitest';
import { createPlaces } from '../../../src/watch/places.ts';
import { newId } from '../../support/jobs.ts';

const ids = (count: number) => Array.from({ length: count }, newId);

describe('places', () => {
  it('#170 are 500 for one token, byte for byte; another has its own', () => {
    const places = createPlaces(10_000);
    expect(places.refusalOf('mine', 500)).toBeUndefined();
    expect(places.refusalOf('mine', 501)).toBe('too_many');
    places.take('mine', ids(450));
    expect(places.refusalOf('mine', 50)).toBeUndefined();
    expect(places.refusalOf('mine', 51)).toBe('too_many');
    expect(places.refusalOf('Mine', 500)).toBeUndefined();
  });

  it('#170 are as many as there may be for all together', () => {
    const places = createPlaces(100);
    places.take('mine', ids(60));
    places.take(undefined, ids(30));
    for (const token of ['mine', 'other', undefined]) {
      expect(places.refusalOf(token, 10)).toBeUndefined();
      expect(places.refusalOf(token, 11)).toBe('full');
    }
  });

  it('know no token without grants: only what all may have', () => {
    const places = createPlaces(10_000);
    places.take(undefined, ids(9_000));
    expect(places.refusalOf(undefined, 1_000)).toBeUndefined();
    expect(places.refusalOf(undefined, 1_001)).toBe('full');
  });

  it('of a token that has too many are refused as such, though there is no room either', () => {
    const places = createPlaces(500);
    places.take('mine', ids(500));
    expect(places.refusalOf('mine', 1)).toBe('too_many');
    expect(places.refusalOf('other', 1)).toBe('full');
  });

  it('are free again one by one, each once', () => {
    const places = createPlaces(2);
    const [first, second] = ids(2) as [ReturnType<typeof newId>, ReturnType<typeof newId>];
    const place = places.take('mine', [first, second]);
    expect(places.refusalOf('mine', 1)).toBe('full');
    place.release(first);
    place.release(first);
    place.release(newId());
    expect([places.refusalOf('mine', 1), places.refusalOf('mine', 2)]).toEqual([undefined, 'full']);
    place.release(second);
    expect(places.refusalOf('mine', 2)).toBeUndefined();
  });

  it('of a token that has left are all its own again', () => {
    const places = createPlaces(10_000);
    const mine = ids(500);
    const place = places.take('mine', mine);
    for (const id of mine) place.release(id);
    expect(places.refusalOf('mine', 500)).toBeUndefined();
    places.take('mine', ids(500));
    expect(places.refusalOf('mine', 1)).toBe('too_many');
  });

  it('are counted by watch, and by job', () => {
    const places = createPlaces(10);
    const [first, second] = ids(2) as [ReturnType<typeof newId>, ReturnType<typeof newId>];
    expect(places.size()).toEqual({ held: 0, invocations: 0 });
    const both = places.take('mine', [first, second, first]);
    const one = places.take(undefined, new Set([first]));
    expect(places.size()).toEqual({ held: 3, invocations: 2 });
    both.release(first);
    expect(places.size()).toEqual({ held: 2, invocations: 2 });
    one.release(first);
    expect(places.size()).toEqual({ held: 1, invocations: 1 });
    both.release(second);
    expect(places.size()).toEqual({ held: 0, invocations: 0 });
  });

  it('may be taken beyond what there is, and of nothing', () => {
    const places = createPlaces(1);
    places.take(undefined, ids(3));
    places.take('mine', []).release(newId());
    expect(places.size().held).toBe(3);
    expect(places.refusalOf(undefined, 0)).toBe('full');
  });
});
