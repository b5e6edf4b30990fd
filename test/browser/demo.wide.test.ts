/** The demo's page (contract §16) in Chromium, with the real gateway: what somebody sees who tries it. */
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { FIRST } from '../../demo/showcase.ts';
import { isRefused } from '../support/ask.ts';
import { describeWithBrowser } from '../support/browser.ts';
import { startDemo } from '../support/demo.ts';
import { isFirst, job, LONG, number, SHORT, useDemoPages } from '../support/demo-page.ts';
import { eventually } from '../support/jobs.ts';
import { focused } from '../support/page-checks.ts';

describeWithBrowser('the demo’s page', { timeout: 120_000 }, () => {
  const { demo, open, asked, complaints } = useDemoPages();

  /** By keyboard alone. */
  async function press(page: Page, name: string): Promise<void> {
    for (let i = 0; i < 40; i += 1) {
      const now = await focused(page);
      if (now.name === name) {
        expect(now.isSeen, `one sees that ${name} has the focus`).toBe(true);
        return page.keyboard.press('Enter');
      }
      await page.keyboard.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${name}`);
  }

  it('shows the first jobs to their end, while the next one runs already, without a reload', async () => {
    const page = await open();
    const running = job(page, FIRST.completes);
    await running.and(page.locator('[data-state=processing]')).waitFor(SHORT);
    const time = running.locator('.time');
    const before = await time.innerText();
    expect(before).toMatch(/^\d:\d\d$/);
    expect(
      await eventually(
        () => time.innerText(),
        2_500,
        (text) => text !== before,
      ),
    ).not.toBe(before);

    await job(page, FIRST.isCancelled).and(page.locator('[data-state=cancelled]')).waitFor({ timeout: LONG });
    const failed = job(page, FIRST.fails).and(page.locator('[data-state=failed]'));
    await failed.waitFor({ timeout: LONG });
    expect(await failed.locator('.result').innerText()).toBe('the object could not be read');
    await running.and(page.locator('[data-state=complete]')).waitFor({ timeout: LONG });
    expect(await running.locator('.result').innerText()).toMatch(/^done at \d\d:\d\d:\d\d$/);
    expect(await time.innerText()).toBe('0:18');
    expect(await page.locator('.job:is([data-state=pending], [data-state=processing])').count()).toBe(1);
    expect(await page.locator('#news').innerText()).toContain(`(${FIRST.fails.slice(0, 8)}): failed`);
    expect(await isFirst(page)).toBe(true);
  });

  it('does all that it can by keyboard alone', async () => {
    const page = await open();
    const jobs = page.locator('.job');
    const count = await jobs.count();
    await press(page, 'New job');
    await expect.poll(() => jobs.count(), SHORT).toBeGreaterThan(count);
    expect(await page.locator('#done').innerText()).toBe('A new job was created.');

    await job(page, FIRST.fails).and(page.locator('[data-state=failed]')).waitFor({ timeout: LONG });
    await press(page, 'Retry handbook');
    const retried = page.locator('.job', { hasText: `a retry of ${FIRST.fails.slice(0, 8)}` });
    await retried.waitFor(SHORT);
    expect((await focused(page)).name, 'the focus stays').toBe('Retry handbook');

    await press(page, 'Chroma fails');
    const stale = page.locator('.job.is-stale');
    await stale.first().waitFor(SHORT);
    expect(await stale.first().locator('.stale').innerText()).toMatch(
      /^as of \d\d:\d\d:\d\d: no newer answer$/,
    );
    await expect.poll(() => page.locator('#chroma-state').innerText(), SHORT).toBe('fails');
    const whileItFails = await jobs.count();
    await press(page, 'New job');
    expect(await jobs.count(), 'no job while Chroma fails').toBe(whileItFails);

    await press(page, 'Chroma is back');
    await expect.poll(() => stale.count(), { timeout: 6_000 }).toBe(0);
    await retried.and(page.locator('[data-state=complete]')).waitFor({ timeout: LONG });

    await press(page, 'Restart the gateway');
    await expect.poll(() => page.locator('#gateway-state').innerText(), SHORT).toBe('restarts');
    await expect.poll(() => page.locator('#gateway-state').innerText(), SHORT).toBe('runs');
    await press(page, 'New job');
    await page.locator('.job:nth-child(1)[data-state=processing]').waitFor({ timeout: LONG });
    await expect.poll(() => page.locator('.job.is-stale').count(), SHORT).toBe(0);
    expect(await isFirst(page)).toBe(true);
  });

  it('counts a hundred more watchers at the gateway, and hardly a question more at Chroma', async () => {
    const page = await open();
    await page.getByRole('button', { name: '100 more watchers' }).click();
    await expect.poll(() => number(page, 'watches'), { timeout: 15_000 }).toBeGreaterThanOrEqual(100);
    expect(await number(page, 'watchers')).toBe(100);
    expect(await number(page, 'pages')).toBe(101);
    const [chroma, polling] = [await number(page, 'asked'), await number(page, 'would-have-asked')];
    await page.waitForTimeout(5_000);
    // Eight jobs at most, each asked about every two seconds.
    expect((await number(page, 'asked')) - chroma).toBeLessThanOrEqual(28);
    expect((await number(page, 'would-have-asked')) - polling).toBeGreaterThanOrEqual(150);
    expect(await page.locator('#asked-line').getAttribute('d')).toMatch(/^M\d+ \d+L/);
    expect(await page.locator('#plot').getAttribute('aria-label')).toMatch(
      /^Questions per second: [\d.]+ asked/,
    );
  });

  it('has asked nobody but its own back end and the gateway, and broken none of its rules', () => {
    expect([...asked].sort()).toEqual(demo().urls.slice(0, 2).sort());
    expect(complaints).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    '%s of the demo ends all of it; the page says so',
    async (signal) => {
      const other = await startDemo();
      const page = await open({}, other);
      await page.getByRole('button', { name: '100 more watchers' }).click();
      await expect.poll(() => number(page, 'watches'), { timeout: 15_000 }).toBeGreaterThanOrEqual(100);
      other.process.kill(signal);
      for (const url of other.urls) expect(await eventually(() => isRefused(url), 12_000), url).toBe(true);
      await page.getByText('The demo does not answer.').waitFor(SHORT);
      if (signal === 'SIGTERM') expect(await other.stop()).toBe(0);
    },
  );
});
