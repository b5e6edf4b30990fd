/** How often a watched job is asked about, by its age (contract §10). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paceOf } from '../../../src/domain/pace.ts';

const NOW = 1_795_435_200_000;
const TTL = 2_000;
const MINUTE = 60_000;

const bodyOf = (createdAt: unknown) => JSON.stringify({ created_at: createdAt });
const aged = (ms: number) => bodyOf(new Date(NOW - ms).toISOString());

describe('the pace', () => {
  it.each<[string, number, number]>([
    ['just begun', 0, TTL],
    ['a minute old', MINUTE, TTL],
    ['200 s old: where its age begins to count', 200_000, TTL],
    ['a little older', 200_100, 2_001],
    ['ten minutes old', 10 * MINUTE, 6_000],
    ['25 minutes old', 25 * MINUTE, 15_000],
    ['older', 25 * MINUTE + 1_000, 15_000],
    ['years old', 1e11, 15_000],
  ])('of a job that is %s', (_what, ageMs, paceMs) => {
    expect(paceOf(aged(ageMs), NOW, TTL)).toBe(paceMs);
  });

  it('is the TTL where that is longer than what the age says', () => {
    expect(paceOf(aged(25 * MINUTE), NOW, MINUTE)).toBe(MINUTE);
  });

  it('is never below 250 ms, however short the TTL and young the job', () => {
    expect(paceOf(aged(0), NOW, 0)).toBe(250);
    expect(paceOf(aged(24_000), NOW, 100)).toBe(250);
    expect(paceOf(aged(30_000), NOW, 100)).toBe(300);
    expect(paceOf(aged(0), NOW, 251)).toBe(251);
  });

  it.each<[string, unknown]>([
    ['in the future', new Date(NOW + 1e9).toISOString()],
    ['of this moment', new Date(NOW).toISOString()],
    ['no date', 'yesterday'],
    ['empty', ''],
    ['a number', NOW - 1e9],
    ['null', null],
    ['an object', { at: new Date(NOW - 1e9).toISOString() }],
    ['a list', [new Date(NOW - 1e9).toISOString()]],
    ['an hour that there is not', '2020-01-01T25:00:00Z'],
  ])('is the TTL where created_at is %s', (_what, createdAt) => {
    expect(paceOf(bodyOf(createdAt), NOW, TTL)).toBe(TTL);
  });

  it('is the TTL where there is no created_at', () => {
    expect(paceOf('{}', NOW, TTL)).toBe(TTL);
    expect(paceOf(JSON.stringify({ nested: { created_at: '2020-01-01' } }), NOW, TTL)).toBe(TTL);
  });

  it('counts a date without a time, and one with an offset', () => {
    expect(paceOf(bodyOf('2020-01-01'), NOW, TTL)).toBe(15_000);
    const tenMinutes = new Date(NOW - 10 * MINUTE + 2 * 60 * MINUTE).toISOString().replace('Z', '+02:00');
    expect(paceOf(bodyOf(tenMinutes), NOW, TTL)).toBe(6_000);
  });

  it('is between the longest of TTL and 250 ms, and the longest of that and 15 s, whatever is said', () => {
    const said = fc.oneof(fc.jsonValue(), fc.date({ noInvalidDate: true }));
    fc.assert(
      fc.property(said, fc.nat(100_000), (createdAt, ttl) => {
        const least = Math.max(ttl, 250);
        const pace = paceOf(bodyOf(createdAt), NOW, ttl);
        return pace >= least && pace <= Math.max(least, 15_000);
      }),
    );
  });
});
