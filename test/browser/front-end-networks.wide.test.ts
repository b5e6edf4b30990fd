/** What networks, restarts and sleep do to a page that watches jobs (contract §13): it is honest, and soon right again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled, isStale, type Tab } from '../support/front-end/tab.ts';
import { eventually } from '../support/jobs.ts';

/** After a cure: a pause is 5 s at most, and then an answer takes its time on a busy machine. */
const RIGHT_MS = 5_000 + 700;
/** After `online`, `resume`, or being looked at again. */
const WOKEN_MS = 3_000;
const HOUR_MS = 3_600_000;

describeWithBrowser('a page that watches', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** A job in work that a page shows. */
  async function watched(rig: Rig, movedClock = false) {
    const id = rig.simulator.addJob({ state: 'processing' });
    const tab = await rig.open({ movedClock });
    await tab.watch(id);
    await tab.until(id, isLive);
    return { id, tab, finish: () => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]) };
  }
  /** It shows what was known, and says since when it may be otherwise. */
  async function expectStale(tab: Tab, id: string, withinMs = 4_000): Promise<void> {
    const seen = await tab.until(id, isStale, withinMs);
    expect(seen).toMatchObject({ phase: 'live', state: 'processing', error: undefined });
    expect(seen.asOf).toBeLessThanOrEqual(seen.at);
  }

  it('#180 is stale after 4 s offline, and right within 3 s of `online`', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig);
    const { asOf: knownAt } = await tab.until(id, isLive);
    const lostAt = Date.now();
    await rig.context.setOffline(true);
    rig.cable.hold();
    rig.cable.pull();
    finish();
    await sleep(4_000 - (Date.now() - lostAt));
    await expectStale(tab, id, 0);
    const { asOf } = await tab.until(id, isStale);
    expect(asOf).toBeGreaterThan(knownAt! - 100);
    expect(asOf).toBeLessThan(lostAt + 1_000);
    rig.cable.release();
    await rig.context.setOffline(false);
    await tab.until(id, isSettled, WOKEN_MS);
  });

  it('#180 is right within 5 s of a cable that nobody tells it of', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig);
    rig.cable.hold();
    rig.cable.pull();
    finish();
    await expectStale(tab, id);
    await sleep(6_000);
    rig.cable.release();
    await tab.until(id, isSettled, RIGHT_MS);
  });

  it('#180 is right within 5 s when its packets were only late, and goes on with the same stream', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig);
    rig.cable.hold();
    finish();
    await sleep(4_000);
    rig.cable.release();
    await tab.until(id, isSettled, RIGHT_MS);
    expect(rig.road.count('stream')).toBe(1);
  });

  it('#180 is right after 20 s of silence, when its connection is dead and nothing tells of it', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig, true);
    rig.cable.strand();
    finish();
    await tab.pass(16_000, 2_000);
    expect(rig.road.count('stream')).toBe(1);
    await tab.pass(5_000);
    await tab.until(id, isSettled, RIGHT_MS);
  });

  it('#180 is stale while the gateway is stopped for 70 s, and right within 5 s of its going on', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig, true);
    rig.gateway.process.kill('SIGSTOP');
    finish();
    await tab.pass(70_000);
    await expectStale(tab, id, 0);
    expect(rig.road.passages.length).toBeLessThan(40);
    rig.gateway.process.kill('SIGCONT');
    await tab.until(id, isSettled, RIGHT_MS);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    '#180 is stale when the gateway ended by %s, and right within 5 s of its being there again',
    async (signal) => {
      await using rig = await startRig(browser);
      const { id, tab, finish } = await watched(rig);
      rig.gateway.process.kill(signal);
      await rig.gateway.exited;
      finish();
      await expectStale(tab, id);
      await sleep(2_000);
      await rig.restart();
      await tab.until(id, isSettled, RIGHT_MS);
    },
  );

  it('#180 is stale while Chroma fails, says as of when, and is right within 5 s of its being back', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig);
    const failsFrom = Date.now();
    rig.simulator.fault({ type: 'status', status: 503 });
    await expectStale(tab, id);
    expect((await tab.until(id, isStale)).asOf).toBeLessThan(failsFrom + 50);
    await sleep(15_000);
    await expectStale(tab, id, 0);
    expect(rig.road.count('stream')).toBe(1);
    finish();
    rig.simulator.heal();
    finish();
    await tab.until(id, isSettled, RIGHT_MS);
  });

  it('#186 lets everything go after 15 s hidden, asks nothing for an hour, and is right within 3 s of being seen', async () => {
    await using rig = await startRig(browser);
    const { id, tab, finish } = await watched(rig, true);
    await tab.hide();
    await tab.pass(10_000, 2_000);
    expect(rig.road.open()).toHaveLength(1);
    await tab.pass(6_000, 2_000);
    expect(
      await eventually(
        () => rig.road.open().length,
        1_000,
        (open) => open === 0,
      ),
    ).toBe(0);
    const before = rig.road.passages.length;
    for (let minutes = 0; minutes < 60; minutes++) await tab.jump(HOUR_MS / 60);
    await sleep(300);
    expect(rig.road.passages.length).toBe(before);
    finish();
    await tab.show();
    await tab.until(id, isSettled, WOKEN_MS);
  });

  it('#186 holds the stream of a `wait` alone while hidden, and the wait resolves', async () => {
    await using rig = await startRig(browser);
    const { tab } = await watched(rig, true);
    const awaited = rig.simulator.addJob({ state: 'processing' });
    await tab.call('wait', awaited);
    await eventually(() => rig.road.open('stream').some(({ ids }) => ids.length === 2), 3_000);
    await tab.hide();
    await tab.pass(17_000);
    const ids = () => rig.road.open().map((passage) => passage.ids);
    const alone = (open: unknown) => JSON.stringify(open) === JSON.stringify([[awaited]]);
    expect(await eventually(ids, 2_000, alone)).toEqual([[awaited]]);
    for (let minutes = 0; minutes < 60; minutes++) {
      await tab.jump(HOUR_MS / 60);
      await sleep(20);
    }
    rig.simulator.script(awaited, [{ type: 'state', state: 'failed' }]);
    const outcome = () => tab.page.evaluate(`frontEnd.waits['${awaited}']`);
    expect(await eventually(outcome, RIGHT_MS, (text) => text !== 'waiting')).toBe('failed');
    const isNone = (open: unknown[]) => open.length === 0;
    expect(await eventually(() => rig.road.open(), 2_000, isNone)).toEqual([]);
  });

  it.each([
    ['online', "dispatchEvent(new Event('online'))"],
    ['resume', "document.dispatchEvent(new Event('resume'))"],
    ['being seen', "frontEnd.setVisibility('hidden'); frontEnd.setVisibility('visible')"],
  ])(
    '#186 is right within 3 s of %s, when the machine slept and its connections are dead',
    async (_what, wake) => {
      await using rig = await startRig(browser);
      const { id, tab, finish } = await watched(rig, true);
      rig.cable.strand();
      finish();
      // A machine that sleeps stops all timers: only the wall clock goes on.
      await tab.page.clock.setSystemTime(Date.now() + HOUR_MS);
      await tab.page.evaluate(wake);
      await tab.until(id, isSettled, WOKEN_MS);
    },
  );
});
