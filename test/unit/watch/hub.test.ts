/** One poller per job: when upstream is asked, and what those who watch are told. Leaving: `hub-rest.test.ts`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHubRig, pass, SLACK, TTL } from '../../support/hub-rig.ts';
import { COMPLETE, newId } from '../../support/jobs.ts';

const HOUR = 3_600_000;
const DUE = TTL + SLACK;

let rig = createHubRig();
beforeEach(() => {
  vi.useFakeTimers();
  rig = createHubRig();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a watched job', () => {
  it('is asked about once per interval, however many watch it', async () => {
    const watchers = Array.from({ length: 100 }, () => rig.watch());
    expect(rig.asked()).toBe(1);
    await rig.say('pending');
    for (let round = 2; round <= 4; round++) {
      await pass(DUE - 1);
      expect(rig.asked()).toBe(round - 1);
      await pass(1);
      expect(rig.asked()).toBe(round);
      await rig.say('processing', null, `${round}`);
    }
    const all = ['pending', 'processing', 'processing', 'processing'];
    expect(watchers.every(({ told }) => told.join() === all.join())).toBe(true);
  });

  it('that is known fresh is told at once, and asked about a pace after that answer, not after the telling', async () => {
    const lookup = rig.lookup(rig.id);
    await rig.say('pending');
    await lookup;
    await pass(TTL - 1);
    const { told } = rig.watch();
    await pass(DUE - TTL);
    expect([told, rig.lookedUp()]).toEqual([['pending'], 0]);
    await pass(1);
    expect(rig.asked()).toBe(2);
  });

  it('that is known, but not fresh, is asked about first', async () => {
    void rig.lookup(rig.id);
    await rig.say('pending');
    await pass(TTL);
    const { told } = rig.watch();
    expect([told, rig.asked()]).toEqual([[], 2]);
    await rig.say('processing');
    expect(told).toEqual(['processing']);
  });

  it('is not asked about within the TTL after anybody had an answer, which all have at once', async () => {
    const watchers = [rig.watch(), rig.watch()];
    await rig.say('pending');
    await pass(TTL);
    void rig.lookup(rig.id);
    await rig.say('processing');
    expect(watchers.map(({ told }) => told)).toEqual([
      ['pending', 'processing'],
      ['pending', 'processing'],
    ]);
    await pass(DUE - 1);
    expect(rig.asked()).toBe(2);
    await pass(1);
    expect(rig.asked()).toBe(3);
  });

  it('is told in the very moment in which memory has it', async () => {
    const { told } = rig.watch();
    await rig.say('pending');
    const entry = rig.memory.get(rig.id)!;
    rig.hub.learn(rig.id, { ...entry });
    expect(told).toEqual(['pending', 'pending']);
    rig.hub.learn(newId(), entry);
    expect(told).toHaveLength(2);
  });

  it('is told to who comes while its first question is under way, once there is an answer', async () => {
    const first = rig.watch();
    await pass(1_000);
    const second = rig.watch();
    expect([second.told, rig.asked()]).toEqual([[], 1]);
    await rig.say('pending');
    expect([first.told, second.told]).toEqual([['pending'], ['pending']]);
    expect(rig.watch().told).toEqual(['pending']);
  });

  it('takes no second turn while its question is slow, though an answer came by another way', async () => {
    const other = newId();
    rig.watch(other);
    await rig.say('pending');
    rig.watch();
    expect(rig.lookedUp()).toBe(2);
    rig.hub.learn(rig.id, rig.memory.get(other)!);
    await pass(DUE - 1);
    expect(rig.lookedUp()).toBe(2);
    await pass(10 * TTL);
    expect(rig.lookedUp()).toBe(3); // the other's
    await rig.say('processing');
  });

  it('#163 that has ended is never asked about again, and nothing later is told', async () => {
    const { told } = rig.watch();
    await rig.say(COMPLETE);
    const ended = rig.memory.get(rig.id)!;
    expect(vi.getTimerCount()).toBe(0);
    rig.hub.learn(rig.id, { ...ended, lifetimeClass: 'in-flight' });
    await pass(HOUR);
    expect([told, rig.watch().told, rig.asked()]).toEqual([['complete'], ['complete'], 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('#164 in trouble is told with what may be served, then again when it has passed', async () => {
    const { told } = rig.watch();
    await rig.say('pending');
    await pass(DUE);
    rig.source.last().fail('upstream_error');
    await pass(0);
    expect(told).toEqual(['pending', 'pending upstream_error']);
    expect(rig.watch().told).toEqual(['pending upstream_error']);
    await pass(DUE);
    await rig.say('pending');
    expect(told.slice(2)).toEqual(['pending']);
  });

  it('#164 in trouble from the first is told so, and asked about at its pace', async () => {
    const { told } = rig.watch();
    for (let round = 1; round <= 3; round++) {
      expect(rig.asked()).toBe(round);
      rig.source.last().fail('upstream_timeout');
      await pass(DUE);
    }
    expect(told).toEqual(Array.from({ length: 3 }, () => '- upstream_timeout'));
    rig.source.last().crash(new Error('a bug'));
    await pass(0);
    expect(told.at(-1)).toBe('- internal');
    // Upstream's failures are logged where they are seen; a bug is logged here or never.
    expect(rig.reported.map(({ code }) => code)).toEqual(['internal']);
  });

  it('whose last answer may not be served any more is told without it', async () => {
    const { told } = rig.watch();
    await rig.say('pending');
    await pass(DUE);
    await pass(300_000);
    rig.source.last().fail('upstream_timeout');
    await pass(0);
    expect(told).toEqual(['pending', '- upstream_timeout']);
  });

  it('that is missing is asked about again; who comes later is told by a new question', async () => {
    const first = rig.watch();
    rig.source.last().missing();
    await pass(0);
    expect(first.told).toEqual(['404']);
    expect(rig.watch().told).toEqual(['404']); // a 404 is fresh for a second
    await pass(1_000);
    const late = rig.watch();
    expect([late.told, rig.asked()]).toEqual([[], 2]);
    await rig.say('pending');
    expect([first.told, late.told]).toEqual([['404', 'pending'], ['pending']]);
  });
});

describe('the pace', () => {
  const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

  it.each<[string, () => unknown, number]>([
    ['of a young job is the TTL', () => ago(1_000), TTL],
    ['is 1 % of the age', () => ago(600_000), 6_000],
    ['is 15 s at most', () => ago(24 * HOUR), 15_000],
    ['of a job from the future is the TTL', () => ago(-HOUR), TTL],
    ['without a date is the TTL', () => null, TTL],
  ])('%s', async (_what, createdAt, paceMs) => {
    rig.watch();
    await rig.say('pending', createdAt());
    await pass(paceMs + SLACK - 1);
    expect(rig.asked()).toBe(1);
    await pass(1);
    expect(rig.asked()).toBe(2);
  });

  it('is 250 ms at least', async () => {
    rig = createHubRig({ inFlightTtlMs: 0 });
    rig.watch();
    rig.source.last().fail('upstream_error');
    await pass(250 + SLACK - 1);
    expect(rig.asked()).toBe(1);
    await pass(1);
    expect(rig.asked()).toBe(2);
  });

  it('may be longer than a timer can be', async () => {
    rig = createHubRig({ inFlightTtlMs: 1e12 });
    rig.watch();
    await rig.say('pending');
    await pass(24 * HOUR);
    expect(rig.asked()).toBe(1);
    expect(vi.getTimerCount()).toBe(1);
  });

  it.each([-HOUR, HOUR])('#174 goes on when the clock is set by %i ms', async (ms) => {
    const { told } = rig.watch();
    await rig.say('pending');
    vi.setSystemTime(Date.now() + ms);
    await pass(DUE);
    await rig.say('processing');
    expect(told).toEqual(['pending', 'processing']);
    await pass(DUE);
    expect(rig.asked()).toBe(3);
  });
});
