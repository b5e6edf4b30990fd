/** Many jobs on one page, and jobs and events that nobody has foreseen (contract §13). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../support/ask.ts';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import type { Passage } from '../support/front-end/road.ts';
import { isLive, isSettled } from '../support/front-end/tab.ts';
import { eventually } from '../support/jobs.ts';

describeWithBrowser('a page', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const jobs = (rig: Rig, count: number) =>
    Array.from({ length: count }, () => rig.simulator.addJob({ state: 'processing' }));
  const finish = (rig: Rig, ids: readonly string[]) => {
    for (const id of ids) rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);
  };
  /** How many of these were open at once. */
  function mostAtOnce(passages: readonly Passage[]): number {
    const during = ({ at }: Passage) =>
      passages.filter((one) => one.at <= at && (one.closedAt ?? Number.POSITIVE_INFINITY) > at).length;
    return Math.max(0, ...passages.map(during));
  }

  it('#184 shows 60 jobs by two streams over HTTP/1.1, and its other requests go on', async () => {
    await using rig = await startRig(browser);
    const ids = jobs(rig, 60);
    const tab = await rig.open();
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive);
    const streams = rig.road.open('stream');
    expect(streams.map((stream) => stream.ids.length).toSorted((a, b) => a - b)).toEqual([10, 50]);
    expect(new Set(streams.flatMap((stream) => stream.ids))).toEqual(new Set(ids));
    expect(rig.road.count('stream')).toBe(2);
    const others = ids.slice(0, 20).map((id) => `${rig.cable.url}/api/v1/invocations/${id}`);
    const tookMs = (await tab.page.evaluate(
      `(async () => {
        const begun = performance.now();
        await Promise.all(${JSON.stringify(others)}.map((url) => fetch(url).then((answer) => answer.text())));
        return performance.now() - begun;
      })()`,
    )) as number;
    expect(tookMs).toBeLessThan(3_000);
    finish(rig, ids);
    for (const id of ids) await tab.until(id, isSettled);
  });

  it('#184 opens two streams in all for 40 ids that join within a second', async () => {
    await using rig = await startRig(browser);
    const ids = jobs(rig, 40);
    const tab = await rig.open();
    await tab.page.evaluate(
      `(async () => {
        const ids = ${JSON.stringify(ids)};
        const begun = performance.now();
        for (let joined = 0; joined < ids.length; ) {
          const due = 1 + Math.floor((performance.now() - begun) / 20);
          frontEnd.watch(ids.slice(joined, due));
          joined = due;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      })()`,
    );
    for (const id of ids) await tab.until(id, isLive);
    finish(rig, ids.slice(1));
    for (const id of ids.slice(1)) await tab.until(id, isSettled);
    expect(rig.road.count('stream')).toBe(2);
    expect(rig.road.open('stream')).toHaveLength(1);
  });

  it('#184 shows 300 jobs by four streams, and the others by lookups, two at a time', async () => {
    await using rig = await startRig(browser, { auth: 'grant' });
    const ids = jobs(rig, 300);
    const tab = await rig.open();
    await tab.watch(...ids);
    for (const id of ids) await tab.until(id, isLive, 15_000);
    const streamed = new Set(rig.road.open('stream').flatMap((stream) => stream.ids));
    expect(rig.road.open('stream').map((stream) => stream.ids.length)).toEqual([50, 50, 50, 50]);
    expect(streamed.size).toBe(200);
    const lookups = rig.road.passages.filter(({ kind }) => kind === 'lookup' || kind === 'wait');
    expect(new Set(lookups.flatMap((lookup) => lookup.ids)).size).toBeGreaterThanOrEqual(100);
    expect(mostAtOnce(lookups)).toBeLessThanOrEqual(2);
    expect(rig.road.count('wait')).toBe(0);
    expect(rig.backEnd.asked.map((asked) => asked.ids.length)).toEqual([50, 50, 50, 50, 50, 50]);
    const lookedUp = ids.filter((id) => !streamed.has(id)).slice(0, 10);
    finish(rig, lookedUp);
    for (const id of lookedUp) await tab.until(id, isSettled);
  });

  it('#189 ignores events that are none, tells of it once, and goes on', async () => {
    await using rig = await startRig(browser);
    const [id, other] = jobs(rig, 2) as [string, string];
    const tab = await rig.open();
    await tab.watch(id, other);
    for (const one of [id, other]) await tab.until(one, isLive);
    const hostile = ['{nope', '', '7', 'null', '[]', '{}', `{"id":"${id}"}`, `{"id":7,"status":"pending"}`];
    for (const data of hostile) rig.road.inject(`event: invocation\ndata: ${data}\n\n`);
    rig.road.inject('event: banana\ndata: {nope\n\n');
    rig.road.inject(`event: missing\ndata: {nope\n\nevent: trouble\ndata: 7\n\n`);
    rig.road.inject(`event: invocation\ndata: {"id":"${newId()}","status":"pending"}\n\n`);
    rig.road.inject(`data: {"id":"${id}","status":"cancelled"}\n\n`);
    await sleep(500);
    for (const one of [id, other]) {
      expect((await tab.story(one)).map(({ phase, state }) => state ?? phase)).toEqual([
        'loading',
        'processing',
      ]);
    }
    expect(tab.complaints).toHaveLength(1);
    finish(rig, [id]);
    await tab.until(id, isSettled);
    expect(rig.road.count('stream')).toBe(1);
    await tab.until(other, isLive, 0);
  });

  it('#189 shows a status that nobody knows as `unrecognised`, and dates that do not parse as none', async () => {
    await using rig = await startRig(browser);
    const [odd, ended] = jobs(rig, 2) as [string, string];
    rig.simulator.script(odd, [
      { type: 'patch', patch: { status: { paused: {} }, created_at: 'yesterday' } },
    ]);
    const complete = { complete: { finished_at: '2026-13-45T99:00:00Z', duration_ms: 'long' } };
    rig.simulator.script(ended, [{ type: 'patch', patch: { status: complete, created_at: 7 } }]);
    const tab = await rig.open();
    await tab.watch(odd, ended);
    expect((await tab.until(odd, isLive)).state).toBe('unrecognised');
    expect((await tab.until(ended, isSettled)).state).toBe('complete');
    const dates = await tab.page.evaluate(
      `[frontEnd.invocations['${odd}'].createdAt, frontEnd.invocations['${ended}'].createdAt,
        frontEnd.invocations['${ended}'].finishedAt, frontEnd.invocations['${ended}'].durationMs].map(String)`,
    );
    expect(dates).toEqual(['undefined', 'undefined', 'undefined', 'undefined']);
    expect(tab.complaints).toEqual([]);
    finish(rig, [odd]);
    await tab.until(odd, isSettled);
  });

  it('#189 shows a job’s text as text', async () => {
    await using rig = await startRig(browser);
    const error = '<script>window.pwned = 1</script><img src=x onerror="window.pwned = 2">';
    const id = rig.simulator.addJob({ state: 'failed', schedule: { outcome: 'failed', error } });
    const tab = await rig.open({ script: 'react' });
    await tab.call('show', [id]);
    const item = tab.page.locator(`li[data-id="${id}"][data-phase=settled]`);
    expect(await item.textContent({ timeout: 5_000 })).toBe(error);
    expect(await item.locator('*').count()).toBe(0);
    expect(await tab.page.evaluate('window.pwned')).toBeUndefined();
    expect(await eventually(() => tab.complaints.length, 300)).toBe(0);
  });
});
