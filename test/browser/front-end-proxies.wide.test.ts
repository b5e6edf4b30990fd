/** What stands between a page and its gateway, and what an old gateway cannot do (contract §13): the page does not know. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled, type Tab } from '../support/front-end/tab.ts';
import { flushing, impatient, lastIdOnly, noStreams, oldGateway } from '../support/front-end/treatments.ts';
import { eventually } from '../support/jobs.ts';
import { describeWithNginx, startNginx } from '../support/nginx.ts';
import type { Seen } from './page/seen.ts';

/** nginx, over its usual HTTP/1.0, holds a stream back until a buffer is full, whatever the gateway asks it for. */
const BUFFERS = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;';
/** Far less than a back-off may take; with some room for a busy machine. */
const AT_ONCE_MS = 400;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const inWork = (rig: Rig) => rig.simulator.addJob({ state: 'processing', kind: 's3' });
const finish = (rig: Rig, id: string) => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);
/** It was never told that anything is wrong. */
async function expectCalm(tab: Tab, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const story = await tab.story(id);
    expect(story.filter(({ isStale, phase }) => isStale || phase === 'error')).toEqual([]);
  }
}

const isLoading = ({ phase }: Seen) => phase === 'loading';

describeWithNginx('behind nginx', { timeout: 60_000 }, () => {
  it('#187 that buffers streams, a page falls back to lookups and does not know', async () => {
    await using rig = await startRig(browser, { behind: (origin) => startNginx(origin, [BUFFERS]) });
    const ids = [inWork(rig), inWork(rig), inWork(rig)];
    const tab = await rig.open();
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive, 8_000);
    expect(rig.road.count('stream')).toBe(1);
    finish(rig, ids[0]!);
    await tab.until(ids[0]!, isSettled, 3_000);
    await sleep(4_000);
    for (const id of ids) finish(rig, id);
    for (const id of ids) await tab.until(id, isSettled, 3_000);
    await expectCalm(tab, ids);
    expect(rig.road.count('stream')).toBe(1);
  });
});

describeWithBrowser('behind', { timeout: 60_000, concurrent: true }, () => {
  it.each(['none', 'grant'] as const)(
    '#187 a gateway from before streams and waits (AUTH=%s), a page shows jobs by lookups and does not know',
    async (auth) => {
      await using rig = await startRig(browser, { auth, treatment: oldGateway });
      const ids = [inWork(rig), inWork(rig)] as const;
      const tab = await rig.open();
      await tab.watch(...ids);
      for (const id of ids) await tab.until(id, isLive, 3_000);
      await sleep(6_000);
      finish(rig, ids[0]);
      await tab.until(ids[0], isSettled, 4_000);
      await sleep(6_000);
      finish(rig, ids[1]);
      await tab.until(ids[1], isSettled, 4_000);
      await expectCalm(tab, ids);
      expect(rig.road.count('stream')).toBe(1);
    },
  );

  it('#190 a proxy that ends each stream after 15 s, a page has the next one at once and is never stale', async () => {
    await using rig = await startRig(browser);
    const id = inWork(rig);
    const tab = await rig.open({ movedClock: true });
    await tab.watch(id);
    await tab.until(id, isLive);
    for (let times = 1; times <= 5; times++) {
      await tab.pass(15_000);
      expect(rig.road.count('stream')).toBe(times);
      rig.road.endStreams();
      await eventually(() => rig.road.count('stream') > times, AT_ONCE_MS);
      expect(rig.road.count('stream')).toBe(times + 1);
      await sleep(500);
    }
    finish(rig, id);
    await tab.until(id, isSettled);
    await expectCalm(tab, [id]);
    expect(rig.road.count('lookup') + rig.road.count('wait')).toBe(0);
  });

  it('#190 a proxy that cuts waits with a page of its own, a page asks plainly after two, and is never stale', async () => {
    const treatment = impatient();
    await using rig = await startRig(browser, { treatment });
    const id = inWork(rig);
    const tab = await rig.open({ movedClock: true });
    await tab.watch(id);
    await tab.until(id, isLive);
    for (let times = 1; times <= 2; times++) {
      await eventually(() => rig.road.count('wait') === times, 5_000);
      expect(rig.road.count('wait')).toBe(times);
      await tab.pass(15_000);
      treatment.cut();
    }
    const before = rig.road.count('lookup');
    await tab.pass(10_000);
    expect(rig.road.count('wait')).toBe(2);
    expect(rig.road.count('lookup') - before).toBeGreaterThanOrEqual(3);
    expect(rig.road.count('lookup') - before).toBeLessThanOrEqual(6);
    finish(rig, id);
    await tab.until(id, isSettled, 3_000);
    await expectCalm(tab, [id]);
  });

  it.each([
    ['the first event', '', isLive],
    ['no event', 'x'.repeat(2_000), isLoading],
  ])(
    '#191 a proxy that passes 512 bytes (%s) and then flushes every 64 KB, a page asks by lookups after the second silence',
    async (_what, note, atFirst) => {
      await using rig = await startRig(browser, { treatment: flushing(512, 65_536) });
      const detail = { additional_metadata: { note } };
      const id = rig.simulator.addJob({ state: 'processing', kind: 's3', detail });
      const tab = await rig.open({ movedClock: true });
      await tab.watch(id);
      await eventually(() => rig.road.count('stream') === 1, 3_000);
      await sleep(300);
      await tab.until(id, atFirst, 0);
      await tab.pass(12_000);
      await tab.until(id, isLive);
      await tab.pass(48_000);
      expect(rig.road.count('stream')).toBe(2);
      expect(rig.road.open('stream')).toEqual([]);
      await tab.until(id, isLive, 1_000);
      finish(rig, id);
      await tab.until(id, isSettled, 3_000);
      expect(rig.road.count('stream')).toBe(2);
    },
  );

  it('#192 a proxy that keeps only the last of several `id=`, a page shows all ten jobs', async () => {
    await using rig = await startRig(browser, { treatment: lastIdOnly });
    const ids = Array.from({ length: 10 }, () => inWork(rig));
    const tab = await rig.open();
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive, 12_000);
    for (const id of ids) finish(rig, id);
    for (const id of ids) await tab.until(id, isSettled, 8_000);
    await expectCalm(tab, ids);
  });

  it('#187 a proxy that has learned to pass streams, a page uses them after 5 minutes', async () => {
    await using rig = await startRig(browser, { treatment: noStreams });
    const id = inWork(rig);
    const tab = await rig.open({ movedClock: true });
    await tab.watch(id);
    await tab.until(id, isLive);
    rig.road.treatment = {};
    const before = rig.road.count('stream');
    await tab.pass(4 * 60_000, 5_000);
    expect(rig.road.count('stream')).toBe(before);
    await tab.pass(61_000, 5_000);
    expect(
      await eventually(
        () => rig.road.open().map(({ kind }) => kind),
        3_000,
        (open) => open.length === 1,
      ),
    ).toEqual(['stream']);
    finish(rig, id);
    await tab.until(id, isSettled);
  });
});
