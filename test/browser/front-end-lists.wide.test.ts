/** A page about a source: it lists the source's jobs, without knowing an id, and watches them live (contract §12, §13). */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Invocation } from '../../client/invocation.ts';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { type Rig, startRig } from '../support/front-end/rig.ts';
import { isLive, isSettled, type Tab } from '../support/front-end/tab.ts';
import { eventually, newId } from '../support/jobs.ts';

describeWithBrowser('a page about a source', { timeout: 60_000, concurrent: true }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const finish = (rig: Rig, id: string) => rig.simulator.script(id, [{ type: 'state', state: 'complete' }]);
  const states = (tab: Tab) => tab.page.locator('li').allTextContents();
  const shows = (tab: Tab, id: string, text: string) =>
    tab.page.locator(`li[data-id="${id}"]`, { hasText: text }).waitFor({ timeout: 5_000 });

  /** Whose user may read one source, and knows no id. */
  async function rigWithSource() {
    const rig = await startRig(browser, { auth: 'grant' });
    const sourceId = newId();
    rig.backEnd.covers = () => false;
    rig.backEnd.sources = [sourceId];
    const add = (state: 'processing' | 'failed', of = sourceId) =>
      rig.simulator.addJob({ sourceId: of, state });
    return { rig, sourceId, add };
  }

  it('#200 lists the jobs of its source, newest first, with a grant by source, and watches them live', async () => {
    const { rig, sourceId, add } = await rigWithSource();
    await using _ = rig;
    const [oldest, failed, newest] = [add('processing'), add('failed'), add('processing')];
    add('processing', newId());
    const tab = await rig.open();
    const jobs = await tab.call<Invocation[]>('list', { sourceId });
    expect(jobs).toMatchObject([
      { id: newest, state: 'processing', sourceId, createdAt: expect.any(Date) },
      { id: failed, state: 'failed', sourceId, error: expect.any(String) },
      { id: oldest, state: 'processing', sourceId },
    ]);
    expect(jobs).toHaveLength(3);
    expect(rig.backEnd.asked.map(({ ids }) => ids)).toEqual([[]]);
    await tab.watch(newest, failed, oldest);
    await tab.until(newest, isLive);
    await tab.until(oldest, isLive);
    await tab.until(failed, isSettled);
    finish(rig, oldest);
    expect((await tab.until(oldest, isSettled)).state).toBe('complete');
    expect((await tab.story(newest)).at(-1)).toMatchObject({ phase: 'live', isStale: false });
    expect([rig.road.count('other'), rig.road.count('stream'), rig.road.count('lookup')]).toEqual([1, 1, 0]);
    expect(tab.complaints).toEqual([]);
  });

  it('#200 sees nothing of a source that its grant does not cover, nor of all sources, nor of a bad query', async () => {
    const { rig, add } = await rigWithSource();
    await using _ = rig;
    const foreign = newId();
    add('processing', foreign);
    const tab = await rig.open();
    expect(await tab.call('list', { sourceId: foreign })).toBe('not_found');
    expect(await tab.call('list', {})).toBe('not_found');
    expect(await tab.call('list', { databaseName: 'demo' })).toBe('not_found');
    expect(await tab.call('list', { sourceId: foreign, limit: 201 })).toBe('invalid_request');
  });

  it('turns over a long list by `limit` and `offset`, and lists everything where no grant is asked for', async () => {
    await using rig = await startRig(browser);
    const ids = Array.from({ length: 5 }, () =>
      rig.simulator.addJob({ databaseName: 'a b&c/ü' }),
    ).toReversed();
    rig.simulator.addJob();
    const tab = await rig.open();
    const list = async (options: object) =>
      (await tab.call<Invocation[]>('list', options)).map(({ id }) => id);
    const databaseName = 'a b&c/ü';
    expect(await list({ databaseName, limit: 2 })).toEqual(ids.slice(0, 2));
    expect(await list({ databaseName, limit: 2, offset: 4 })).toEqual(ids.slice(4));
    expect(await list({})).toHaveLength(6);
  });

  it('in React is the page of docs/frontend.md: it watches what goes on, and lists anew when the user comes back', async () => {
    const { rig, sourceId, add } = await rigWithSource();
    await using _ = rig;
    const [first, failed] = [add('processing'), add('failed')];
    const tab = await rig.open({ script: 'react' });
    await tab.call('showJobsOf', sourceId);
    await shows(tab, first, 'processing');
    expect(await states(tab)).toEqual(['failed', 'processing']);
    finish(rig, first);
    await shows(tab, first, 'complete');
    expect(rig.road.passages.filter(({ ids }) => ids.includes(failed))).toEqual([]);
    const second = add('processing');
    // A list is kept for a moment.
    const comeBack = () =>
      tab.page.evaluate("void dispatchEvent(new Event('focus'))").then(() => states(tab));
    await eventually(comeBack, 5_000, (shown) => shown.length === 3);
    await shows(tab, second, 'processing');
    expect(await states(tab)).toEqual(['processing', 'failed', 'complete']);
    expect(tab.complaints).toEqual([]);
  });
});
