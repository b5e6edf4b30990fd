/** What pages do: components that come and go, tabs, a page that is left and come back to (contract §13). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled, type Tab } from '../support/front-end/tab.ts';
import { eventually } from '../support/jobs.ts';
import { watchesOf } from '../support/watching.ts';

/** After the last watch there is no connection for longer than this; with some room for a busy machine. */
const LET_GO_MS = 1_500;

describeWithBrowser('a page', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser(true);
  });
  afterAll(() => browser?.close());

  const inWork = (rig: Rig) => rig.simulator.addJob({ state: 'processing' });
  const finish = (rig: Rig, id: string) => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);
  const shows = (tab: Tab, id: string, text: string) =>
    tab.page.locator(`li[data-id="${id}"]`, { hasText: text }).first().waitFor({ timeout: 5_000 });
  const openAfter = (rig: Rig, withinMs: number) =>
    eventually(
      () => rig.road.open(),
      withinMs,
      (open) => open.length === 0,
    );

  it('#185 in React’s StrictMode has one stream for a job that three components show', async () => {
    await using rig = await startRig(browser);
    const id = inWork(rig);
    const tab = await rig.open({ script: 'react' });
    await tab.call('show', [id, id.toUpperCase(), id]);
    await shows(tab, id, 'processing');
    finish(rig, id);
    await shows(tab, id, 'complete');
    expect(await tab.page.locator('li[data-phase=settled]').count()).toBe(3);
    expect(rig.road.passages.map(({ kind, ids }) => [kind, ids])).toEqual([['stream', [id]]]);
    expect(tab.complaints).toEqual([]);
  });

  it('#185 keeps its one stream through 100 remounts in a second, and lets it go after the last', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = inWork(rig);
    const tab = await rig.open({ script: 'react' });
    await tab.call('remount', id, 100);
    await shows(tab, id, 'processing');
    expect(rig.road.count('stream')).toBe(1);
    expect(rig.backEnd.asked).toHaveLength(1);
    await tab.call('remount', id, 100);
    await shows(tab, id, 'processing');
    expect(rig.road.count('stream')).toBe(1);
    await tab.call('hide');
    expect(await openAfter(rig, LET_GO_MS)).toEqual([]);
    expect(tab.complaints).toEqual([]);
  });

  it('#185 with another id at each render shows the last, and watches it alone', async () => {
    await using rig = await startRig(browser);
    const ids = Array.from({ length: 30 }, () => inWork(rig));
    const last = ids.at(-1)!;
    const tab = await rig.open({ script: 'react' });
    await tab.call('showChanging', ids);
    await shows(tab, last, 'processing');
    const watched = () => rig.road.open('stream').map((stream) => stream.ids);
    const isAlone = (open: readonly (readonly string[])[]) => open.length === 1 && open[0]!.length === 1;
    expect(await eventually(watched, 3_000, isAlone)).toEqual([[last]]);
    expect(rig.road.count('stream')).toBeLessThanOrEqual(2);
    finish(rig, last);
    await shows(tab, last, 'complete');
    expect(tab.complaints).toEqual([]);
  });

  it('#185 without an id is `idle` and asks nothing', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const tab = await rig.open({ script: 'react' });
    await tab.call('show', [null]);
    await tab.page.locator('li[data-phase=idle]').waitFor();
    await sleep(1_000);
    expect([rig.road.passages, rig.backEnd.asked]).toEqual([[], []]);
    const id = inWork(rig);
    await tab.call('show', [id]);
    await shows(tab, id, 'processing');
    expect(tab.complaints).toEqual([]);
  });

  it('#185 that is left before the first answer lets go, and nothing is rendered any more', async () => {
    await using rig = await startRig(browser);
    const id = inWork(rig);
    rig.simulator.hold();
    const tab = await rig.open({ script: 'react' });
    await tab.call('show', [id]);
    await rig.simulator.arrived(1, id);
    await tab.call('hide');
    const renders = await tab.call('renders');
    rig.simulator.release();
    expect(await openAfter(rig, LET_GO_MS)).toEqual([]);
    await sleep(500);
    expect(await tab.call('renders')).toBe(renders);
    expect(tab.complaints).toEqual([]);
  });

  it('#194 whose component makes its own client and closes it in a cleanup shows the job', async () => {
    await using rig = await startRig(browser);
    const id = inWork(rig);
    const tab = await rig.open({ script: 'react' });
    await tab.call('showOwn', id);
    await shows(tab, id, 'processing');
    finish(rig, id);
    await shows(tab, id, 'complete');
    expect(tab.complaints).toEqual([]);
  });

  it('#188 in two tabs watches in each for itself', async () => {
    await using rig = await startRig(browser);
    const id = inWork(rig);
    const tabs = [await rig.open(), await rig.open()] as const;
    for (const tab of tabs) await tab.watch(id);
    for (const tab of tabs) await tab.until(id, isLive);
    expect(rig.road.open('stream')).toHaveLength(2);
    await tabs[0].close();
    expect(
      await eventually(
        () => rig.road.open('stream').length,
        1_000,
        (open) => open === 1,
      ),
    ).toBe(1);
    finish(rig, id);
    await tabs[1].until(id, isSettled);
  });

  it('#188 that is closed leaves nothing at the gateway', async () => {
    await using rig = await startRig(browser);
    const tab = await rig.open();
    const ids = Array.from({ length: 60 }, () => inWork(rig));
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive);
    expect(await watchesOf(rig.gateway.url)).toMatchObject({ held: 60 });
    await tab.close();
    expect(await openAfter(rig, 1_000)).toEqual([]);
    const held = async () => (await watchesOf(rig.gateway.url)) as { held: number };
    expect(await eventually(held, 5_000, (watches) => watches.held === 0)).toMatchObject({ held: 0 });
  });

  it('#188 that is left lets go, and is right within 3 s of being come back to', async () => {
    await using rig = await startRig(browser);
    const id = inWork(rig);
    const tab = await rig.open();
    await tab.watch(id);
    await tab.until(id, isLive);
    const address = tab.page.url();
    await tab.page.goto(`${rig.backEnd.origin}/elsewhere`);
    expect(await openAfter(rig, 1_000)).toEqual([]);
    finish(rig, id);
    await tab.page.goBack({ waitUntil: 'commit' });
    expect(tab.page.url()).toBe(address);
    await tab.until(id, isSettled, 3_000);
    // It is the very page, not one that was loaded anew.
    expect((await tab.story(id)).map(({ phase }) => phase)).toEqual(
      expect.arrayContaining(['loading', 'live', 'settled']),
    );
  });
});
