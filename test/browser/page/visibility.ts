/** A headless page is never hidden (platform M35): here it is told so by hand. */
let state: DocumentVisibilityState = 'visible';
Object.defineProperty(Document.prototype, 'visibilityState', { get: () => state });
Object.defineProperty(Document.prototype, 'hidden', { get: () => state === 'hidden' });

/** What a tab goes through when another one is looked at, or when it is looked at again. */
export function setVisibility(next: DocumentVisibilityState): void {
  state = next;
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
}
