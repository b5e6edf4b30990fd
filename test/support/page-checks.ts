/** What a page looks like to somebody's eyes, measured in the browser itself. */
import type { Page } from 'playwright-core';

/** A text whose contrast with what is behind it is too low (WCAG 2.2, 1.4.3, level AA). */
export interface Pale {
  readonly text: string;
  readonly ratio: number;
}

/** Every text that is too pale, and how many were looked at. */
export function paleTexts(page: Page): Promise<{ readonly looked: number; readonly pale: readonly Pale[] }> {
  return page.evaluate(`(() => {
    const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    // The browser itself says what a colour is, however it is written.
    const rgba = (color) => {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = color;
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
      const [r, g, b] = rgba(color).map((byte) => {
        const part = byte / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = getComputedStyle(at).backgroundColor;
        if (rgba(color)[3] === 255) return color;
      }
      return 'Canvas';
    };
    let looked = 0;
    const pale = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.data.trim();
      const element = walker.currentNode.parentElement;
      if (text === '' || !element.checkVisibility({ visibilityProperty: true })) continue;
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      const [light, dark] = [luminance(style.color), luminance(behind(element))].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      looked += 1;
      if (ratio < (isLarge ? 3 : 4.5)) pale.push({ text, ratio });
    }
    return { looked, pale };
  })()`);
}

/** How many pixels one must scroll to the side, and what sticks out of the window. */
export function sticksOut(
  page: Page,
): Promise<{ readonly scroll: number; readonly elements: readonly string[] }> {
  return page.evaluate(`(() => {
    const root = document.documentElement;
    const elements = [...document.querySelectorAll('body *')]
      .filter((element) => !element.closest('pre') && element.getBoundingClientRect().right > innerWidth + 0.5)
      .map((element) => element.tagName + '.' + element.className);
    return { scroll: root.scrollWidth - innerWidth, elements };
  })()`);
}

/** The name of what has the focus, and whether one sees that it has. */
export function focused(page: Page): Promise<{ readonly name: string; readonly isSeen: boolean }> {
  return page.evaluate(`(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return {
      name: element.getAttribute('aria-label') ?? element.textContent.trim(),
      isSeen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
    };
  })()`);
}
