/** A page that watches what its grant does not name, or what is not there (contract §13). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../support/ask.ts';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled } from '../support/front-end/tab.ts';

describeWithBrowser('a page that watches', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const inWork = (rig: Rig) => rig.simulator.addJob({ state: 'processing' });
  const finish = (rig: Rig, id: string) => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);

  it('#182 the new id of a retried job shows it after one renewal', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const failed = rig.simulator.addJob({ state: 'failed' });
    const other = inWork(rig);
    const tab = await rig.open();
    await tab.watch(failed, other);
    await tab.until(failed, isSettled);
    await tab.until(other, isLive);
    expect(rig.backEnd.asked).toHaveLength(1);
    const retried = inWork(rig);
    await tab.watch(retried);
    await tab.until(retried, isLive);
    expect(rig.backEnd.asked).toHaveLength(2);
    expect(rig.backEnd.asked[1]!.ids).toContain(retried);
    finish(rig, retried);
    finish(rig, other);
    await tab.until(retried, isSettled);
    await tab.until(other, isSettled);
    expect(rig.backEnd.asked).toHaveLength(2);
    expect((await tab.story(other)).some(({ isStale }) => isStale)).toBe(false);
  });

  it('#183 what is missing, or not granted, is told `not_found` after 15 s, asks for it at most 12 times, and disturbs no other job', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const good = [inWork(rig), inWork(rig)];
    const missing = newId();
    const notGranted = inWork(rig);
    rig.backEnd.covers = (id) => id !== notGranted;
    const tab = await rig.open();
    await tab.watch(...good, missing, notGranted, 'nope');
    const begun = performance.now();
    expect((await tab.until('nope', ({ phase }) => phase === 'error', 500)).error).toBe('invalid_id');
    for (const id of good) await tab.until(id, isLive);
    await sleep(5_000);
    for (const id of good) finish(rig, id);
    for (const id of good) await tab.until(id, isSettled, 2_000);
    await sleep(14_000 - (performance.now() - begun));
    for (const id of [missing, notGranted]) await tab.until(id, ({ phase }) => phase === 'loading', 0);
    for (const id of [missing, notGranted]) {
      expect((await tab.until(id, ({ phase }) => phase === 'error', 3_000)).error).toBe('not_found');
    }
    await sleep(2_000);
    const asked = (id: string) =>
      rig.road.passages.filter(({ kind, ids }) => kind !== 'preflight' && ids.includes(id));
    for (const id of [missing, notGranted]) {
      expect(asked(id).length).toBeGreaterThan(2);
      expect(asked(id).length).toBeLessThanOrEqual(12);
    }
    expect(asked('nope')).toEqual([]);
    expect(rig.road.open()).toEqual([]);
    for (const id of good) {
      const story = await tab.story(id);
      expect(story.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1])).toEqual([
        'loading',
        'live',
        'settled',
      ]);
      expect(story.some(({ isStale }) => isStale)).toBe(false);
    }
    expect(rig.backEnd.asked.length).toBeLessThanOrEqual(3);
  });

  it('#183 a job before it is there shows it once it is', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = newId();
    const tab = await rig.open();
    await tab.watch(id);
    await sleep(5_000);
    rig.simulator.addJob({ id, state: 'processing' });
    await tab.until(id, isLive);
    finish(rig, id);
    await tab.until(id, isSettled);
  });
});
