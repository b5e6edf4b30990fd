/** What happens to the page that the client lives in. Where there is none (a server, React Native) nothing happens. */

/**
 * `online`: the network is back. `resume`: it goes on after it was frozen. `pagehide`: it is left, for good or into the
 * back/forward cache; `pageshow`: it is back from there, or there for the first time.
 */
export type PageEvent = 'online' | 'resume' | 'visibilitychange' | 'pagehide' | 'pageshow';

export interface Page {
  isHidden(): boolean;
  /** @returns stops listening */
  listen(onEvent: (event: { readonly type: string }) => void): () => void;
}

const EVENTS: readonly PageEvent[] = ['online', 'pagehide', 'pageshow', 'resume', 'visibilitychange'];

export function createPage(): Page {
  const { document }: Partial<typeof globalThis> = globalThis;
  // `resume` and `visibilitychange` are the document's, and only the second bubbles.
  const targets: (Partial<EventTarget> | undefined)[] = [globalThis, document];
  return {
    isHidden: () => document?.visibilityState === 'hidden',
    listen(onEvent) {
      const each = (method: 'addEventListener' | 'removeEventListener') => {
        for (const [index, name] of EVENTS.entries()) targets[index < 3 ? 0 : 1]?.[method]?.(name, onEvent);
      };
      each('addEventListener');
      return () => each('removeEventListener');
    },
  };
}
