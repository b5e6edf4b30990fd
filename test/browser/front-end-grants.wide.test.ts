/** A page whose grants end, or cannot be had (contract §13). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import type { GrantMood } from '../support/front-end/back-end.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled } from '../support/front-end/tab.ts';
import { eventually } from '../support/jobs.ts';

const MINUTE_MS = 60_000;
/** Per minute and stream, while the route fails: 1, 2, 4, 5, 5 … s, drawn from nothing up to that. */
const MOST_TRIES = 30;

describeWithBrowser('a page with grants', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const inWork = (rig: Rig) => rig.simulator.addJob({ state: 'processing' });
  const finish = (rig: Rig, id: string) => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);
  const askedAtLeast = (rig: Rig, count: number, withinMs: number) =>
    eventually(
      () => rig.backEnd.asked.length,
      withinMs,
      (asked) => asked >= count,
    );

  it('#181 renews one that ends while it watches once per stream, however many jobs it shows', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const ids = Array.from({ length: 60 }, () => inWork(rig));
    rig.backEnd.livesSeconds = 6;
    const tab = await rig.open();
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive);
    expect(rig.backEnd.asked).toHaveLength(2);
    rig.backEnd.livesSeconds = undefined;
    await askedAtLeast(rig, 4, 8_000);
    await eventually(() => rig.road.count('stream') === 4, 2_000);
    for (const id of ids) finish(rig, id);
    for (const id of ids) await tab.until(id, isSettled);
    const [first, second, third, fourth] = rig.backEnd.asked.map((asked) => asked.ids.toSorted());
    expect([first, second]).toEqual(expect.arrayContaining([third, fourth]));
    expect(rig.backEnd.asked).toHaveLength(4);
    expect(rig.road.count('stream')).toBe(4);
    for (const id of ids) expect((await tab.story(id)).some((seen) => seen.isStale)).toBe(false);
  });

  it('#181 renews one that ended while it was hidden once, and is right within 3 s of being seen', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = inWork(rig);
    rig.backEnd.livesSeconds = 8;
    const tab = await rig.open({ movedClock: true });
    await tab.watch(id);
    await tab.until(id, isLive);
    await tab.hide();
    await tab.pass(16_000, 4_000);
    await eventually(() => rig.road.open().length === 0, 2_000);
    await sleep(rig.backEnd.asked[0]!.at + 9_000 - performance.now());
    expect(rig.backEnd.asked).toHaveLength(1);
    rig.backEnd.livesSeconds = undefined;
    finish(rig, id);
    await tab.show();
    await tab.until(id, isSettled, 3_000);
    expect(rig.backEnd.asked).toHaveLength(2);
  });

  it('#181 renews one that ended while it was offline once, and is right within 3 s of `online`', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = inWork(rig);
    rig.backEnd.livesSeconds = 3;
    const tab = await rig.open();
    await tab.watch(id);
    await tab.until(id, isLive);
    await rig.context.setOffline(true);
    rig.cable.hold();
    rig.cable.pull();
    await sleep(4_000);
    rig.backEnd.livesSeconds = undefined;
    finish(rig, id);
    rig.cable.release();
    await rig.context.setOffline(false);
    await tab.until(id, isSettled, 3_000);
    expect(rig.backEnd.asked).toHaveLength(2);
  });

  it.each<[string, GrantMood]>([
    ['with a 500', 500],
    ['with somebody’s page', 'html'],
  ])('#181 asks again when the route answers %s, and shows its job', async (_what, mood) => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = inWork(rig);
    rig.backEnd.moods = [mood];
    const tab = await rig.open();
    await tab.watch(id);
    await tab.until(id, isLive);
    expect(rig.backEnd.asked.map((asked) => asked.mood)).toEqual([mood, 'grant']);
    expect((await tab.story(id)).map(({ phase }) => phase)).toEqual(['loading', 'live']);
  });

  it('#181 asks again when the route has not answered for 10 s', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = inWork(rig);
    rig.backEnd.moods = ['never'];
    const tab = await rig.open({ movedClock: true });
    await tab.watch(id);
    await askedAtLeast(rig, 1, 3_000);
    await tab.pass(5_000);
    expect(rig.backEnd.asked).toHaveLength(1);
    await tab.pass(6_000);
    await tab.until(id, isLive);
    expect(rig.backEnd.asked.map((asked) => asked.mood)).toEqual(['never', 'grant']);
  });

  it.each<GrantMood>([500, 'html', 'never'])(
    '#181 makes no storm of a route that goes on answering: %s',
    async (mood) => {
      await using rig = await startRig(browser, { auth: 'grant' });
      const ids = Array.from({ length: 60 }, () => inWork(rig));
      rig.backEnd.mood = mood;
      const tab = await rig.open({ movedClock: true });
      await tab.watch(...ids);
      await tab.pass(3 * MINUTE_MS, mood === 'never' ? 5_000 : 1_000);
      expect((await tab.story(ids[0]!)).map(({ phase }) => phase)).toEqual(['loading']);
      expect(rig.backEnd.asked.length).toBeGreaterThanOrEqual(4);
      expect(rig.backEnd.asked.length).toBeLessThanOrEqual(2 * 3 * MOST_TRIES);
      rig.backEnd.mood = 'grant';
      await tab.pass(MINUTE_MS / 2);
      for (const id of ids) await tab.until(id, isLive);
    },
  );

  it('#181 makes no storm of grants while streams break and its set changes', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const ids = Array.from({ length: 12 }, () => inWork(rig));
    const tab = await rig.open({ movedClock: true });
    for (const id of ids) {
      await tab.watch(id);
      await tab.pass(2_500);
      rig.road.endStreams();
      await tab.pass(2_500);
    }
    for (const id of ids) await tab.until(id, isLive);
    expect(rig.backEnd.asked.length).toBeLessThanOrEqual(12);
    const before = rig.backEnd.asked.length;
    for (let times = 0; times < 12; times++) {
      rig.road.endStreams();
      await tab.pass(5_000);
    }
    expect(rig.backEnd.asked.length).toBe(before);
  });

  it.each<GrantMood>([401, 403])(
    '#181 is told `unauthorized` when the route answers %s, and asks no more',
    async (mood) => {
      await using rig = await startRig(browser, { auth: 'grant' });
      const id = inWork(rig);
      rig.backEnd.mood = mood;
      const tab = await rig.open({ movedClock: true });
      await tab.watch(id);
      const { error } = await tab.until(id, ({ phase }) => phase === 'error');
      expect(error).toBe('unauthorized');
      await tab.pass(MINUTE_MS);
      expect(rig.backEnd.asked).toHaveLength(1);
      expect(rig.road.passages).toEqual([]);
    },
  );

  it('#181 is told `unauthorized` when the gateway takes no fresh grant either', async () => {
    await using rig = await startRig(browser, {
      auth: 'grant',
      env: { GRANT_ISSUER: 'https://other.example' },
    });
    const id = inWork(rig);
    const tab = await rig.open({ movedClock: true });
    await tab.watch(id);
    const { error } = await tab.until(id, ({ phase }) => phase === 'error');
    expect(error).toBe('unauthorized');
    await tab.pass(MINUTE_MS);
    expect(rig.backEnd.asked).toHaveLength(2);
  });
});
