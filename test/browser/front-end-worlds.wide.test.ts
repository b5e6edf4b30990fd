/** Where the client runs: React Native, the oldest browsers that it is for (contract §13); and what it leaves behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../support/ask.ts';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled } from '../support/front-end/tab.ts';
import { noStreams } from '../support/front-end/treatments.ts';
import { eventually } from '../support/jobs.ts';

/** What came after Safari 16.4, Chrome 111 or Firefox 111. */
const OLD_BROWSER = `
  const gone = [
    [AbortSignal, 'any'], [Promise, 'withResolvers'], [Promise, 'try'], [Array, 'fromAsync'], [URL, 'canParse'],
    [URL, 'parse'], [Object, 'groupBy'], [Map, 'groupBy'], [Symbol, 'dispose'], [Symbol, 'asyncDispose'],
    [ReadableStream.prototype, Symbol.asyncIterator], [ReadableStream.prototype, 'values'],
    ...['toSorted', 'toReversed', 'toSpliced', 'with'].map((name) => [Array.prototype, name]),
    ...['union', 'intersection', 'difference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom',
      'symmetricDifference'].map((name) => [Set.prototype, name]),
    ...['map', 'filter', 'take', 'drop', 'flatMap', 'reduce', 'toArray', 'forEach', 'some', 'every',
      'find'].map((name) => [Iterator.prototype, name]),
  ];
  for (const [of, name] of gone) delete of[name];
  delete globalThis.Iterator;`;

/** \`timers()\` counts those that have yet to run. */
const COUNTS_TIMERS = `
  const waiting = new Set();
  const [set, clear] = [setTimeout, clearTimeout];
  globalThis.setTimeout = (run, ms, ...args) => {
    const timer = set(() => { waiting.delete(timer); run(...args); }, ms);
    waiting.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => { waiting.delete(timer); clear(timer); };
  globalThis.timers = () => waiting.size;`;

describeWithBrowser('the client', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const inWork = (rig: Rig) => rig.simulator.addJob({ state: 'processing' });
  const finish = (rig: Rig, id: string) => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);
  const openAfter = (rig: Rig, withinMs: number) =>
    eventually(
      () => rig.road.open(),
      withinMs,
      (open) => open.length === 0,
    );

  it.each([
    ['none', 'at its first byte'],
    ['grant', 'when all of it has come'],
  ] as const)(
    '#193 in React Native’s world (AUTH=%s, an answer is there %s) shows jobs by lookups and throws nothing',
    async (auth, when) => {
      const isWhole = when === 'when all of it has come';
      await using rig = await startRig(browser, { auth });
      const ids = [inWork(rig), inWork(rig)] as const;
      const tab = await rig.open();
      await tab.call('native', ids, isWhole);
      for (const id of ids) await tab.until(id, isLive, isWhole ? 8_000 : 3_000);
      for (const id of ids) {
        finish(rig, id);
        await tab.until(id, isSettled);
      }
      expect(rig.road.count('stream')).toBe(1);
      expect(rig.road.count('lookup') + rig.road.count('wait')).toBeGreaterThan(2);
      expect(await openAfter(rig, 1_500)).toEqual([]);
      expect(tab.complaints).toEqual([]);
    },
  );

  it('in the oldest browsers that it is for shows a job and waits for it', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const id = inWork(rig);
    const tab = await rig.open({ prelude: OLD_BROWSER });
    await tab.watch(id);
    await tab.call('wait', id);
    await tab.until(id, isLive);
    finish(rig, id);
    await tab.until(id, isSettled);
    expect(await eventually(() => tab.page.evaluate(`frontEnd.waits['${id}'] === 'complete'`), 1_000)).toBe(
      true,
    );
    expect(tab.complaints).toEqual([]);
  });

  it('has no connection and no timer a second after the last watch, whatever it was in the middle of', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const ids = [inWork(rig), inWork(rig), newId()];
    const tab = await rig.open({ prelude: COUNTS_TIMERS });
    const timers = () => tab.page.evaluate('timers()') as Promise<number>;
    const expectNothing = async () => {
      await sleep(1_200);
      expect([rig.road.open(), await timers()]).toEqual([[], 0]);
    };
    await expectNothing();

    await tab.watch(...ids);
    await tab.until(ids[0]!, isLive);
    expect(await timers()).toBeGreaterThan(0);
    await tab.call('leave', ids);
    await expectNothing();

    rig.backEnd.mood = 500;
    const other = inWork(rig);
    await tab.watch(other);
    await sleep(300);
    await tab.call('leave', [other]);
    await expectNothing();

    rig.backEnd.mood = 'grant';
    await tab.watch(...ids);
    await tab.until(ids[0]!, isLive);
    rig.cable.hold();
    rig.cable.pull();
    await sleep(1_500);
    await tab.call('leave', ids);
    await expectNothing();
  });

  it('asks nothing more of a job that has ended', async () => {
    await using rig = await startRig(browser);
    const ids = [rig.simulator.addJob({ state: 'complete' }), rig.simulator.addJob({ state: 'cancelled' })];
    const tab = await rig.open({ movedClock: true });
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isSettled);
    const before = rig.road.passages.length;
    await tab.watch(...ids);
    await tab.pass(60_000);
    await tab.hide();
    await tab.show();
    await tab.pass(5_000);
    expect(rig.road.passages).toHaveLength(before);
    expect(rig.road.open()).toEqual([]);
  });

  it.each([
    ['its stream', {}],
    ['lookups', noStreams],
  ])('whose wall clock is set back an hour goes on by %s', async (_what, treatment) => {
    await using rig = await startRig(browser, { treatment });
    const ids = [inWork(rig), inWork(rig), inWork(rig)];
    const tab = await rig.open({ movedClock: true });
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive);
    await tab.page.clock.setSystemTime(Date.now() - 3_600_000);
    rig.road.endStreams();
    for (const id of ids) finish(rig, id);
    for (const id of ids) await tab.until(id, isSettled);
  });
});
