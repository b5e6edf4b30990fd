/** The demo's page (contract §16) in Chromium, for every eye and hand: dark mode, a phone, little sight, no motion. */
import { describe, expect, it } from 'vitest';
import { FIRST } from '../../demo/showcase.ts';
import { describeWithBrowser } from '../support/browser.ts';
import { job, LONG, SHORT, useDemoPages } from '../support/demo-page.ts';
import { paleTexts, sticksOut } from '../support/page-checks.ts';

describeWithBrowser('the look of the demo’s page', { timeout: 120_000 }, () => {
  const { open } = useDemoPages();

  if (process.env.SCREENSHOTS === '1') {
    it('sits for the pictures in docs/images', async () => {
      const size = { width: 1080, height: 900 };
      const light = await open({ viewport: size, colorScheme: 'light' });
      const dark = await open({ viewport: size, colorScheme: 'dark' });
      const phone = await open({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 1.5 });
      await job(light, FIRST.fails).and(light.locator('[data-state=failed]')).waitFor({ timeout: LONG });
      await light.getByRole('button', { name: 'New job' }).click();
      await light.waitForTimeout(4_000);
      for (let i = 0; i < 3; i += 1) {
        await light.getByRole('button', { name: '100 more watchers' }).click();
        await light.waitForTimeout(4_000);
      }
      await light.screenshot({ path: 'docs/images/demo-light.png' });
      await phone.screenshot({ path: 'docs/images/demo-phone.png' });
      await light.getByRole('button', { name: 'Chroma fails' }).click();
      await dark.locator('.job.is-stale').first().waitFor(SHORT);
      await dark.waitForTimeout(2_000);
      await dark.screenshot({ path: 'docs/images/demo-dark.png' });
      await light.getByRole('button', { name: 'Chroma is back' }).click();
    });
  }

  describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
    it('has no text that is too pale, also of a job that is stale and of one that has failed', async () => {
      const page = await open({ colorScheme });
      await job(page, FIRST.fails).and(page.locator('[data-state=failed]')).waitFor({ timeout: LONG });
      await page.getByRole('button', { name: 'New job' }).click();
      await page.locator('.job[data-state=processing]').first().waitFor(SHORT);
      await page.getByRole('button', { name: 'Chroma fails' }).click();
      await page.locator('.job.is-stale').first().waitFor(SHORT);
      await expect.poll(() => page.locator('#chroma-state').innerText(), SHORT).toBe('fails');
      const { looked, pale } = await paleTexts(page);
      await page.getByRole('button', { name: 'Chroma is back' }).click();
      expect(pale).toEqual([]);
      expect(looked).toBeGreaterThan(60);
      await expect.poll(() => page.locator('.job.is-stale').count(), SHORT).toBe(0);
    });
  });

  it('fits a phone: nothing sticks out at 360 pixels, and a thumb finds every button', async () => {
    const page = await open({ viewport: { width: 360, height: 740 }, hasTouch: true });
    expect(await sticksOut(page)).toEqual({ scroll: 0, elements: [] });
    for (const button of await page.getByRole('button').all()) {
      const { width, height } = (await button.boundingBox())!;
      expect(Math.min(width, height), await button.innerText()).toBeGreaterThanOrEqual(44);
    }
  });

  it('keeps still for those who want no motion', async () => {
    const moving = 'document.getAnimations().length';
    const page = await open({ reducedMotion: 'reduce' });
    await page.locator('.job[data-state=processing]').first().waitFor({ timeout: LONG });
    expect(await page.evaluate(moving)).toBe(0);
    const other = await open();
    await other.locator('.job[data-state=processing]').first().waitFor({ timeout: LONG });
    expect(await other.evaluate(moving)).not.toBe(0);
  });

  it('tells a screen reader what happens, and not how time passes', async () => {
    const page = await open();
    const live = await page.locator('[aria-live], [role=status], [role=log], [role=alert]').all();
    expect(await Promise.all(live.map((region) => region.getAttribute('id')))).toEqual(['done', 'news']);
    expect(await page.locator('main, header, footer, h1').count()).toBe(4);
    for (const region of await page.locator('main > section').all()) {
      const name = await region.getAttribute('aria-labelledby');
      expect(await page.locator(`h2#${name}`).count(), name ?? 'a section').toBe(1);
    }
  });
});
