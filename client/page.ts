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

/** What is taken of them: there need not be any, and they need not be able to listen. */
type Target = Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;

const WINDOW_EVENTS: readonly PageEvent[] = ['online', 'pagehide', 'pageshow', 'visibilitychange'];

export function createPage(): Page {
  const page = globalThis as Target & { readonly document?: Target & { readonly visibilityState?: string } };
  const { document } = page;
  return {
    isHidden: () => document?.visibilityState === 'hidden',
    listen(onEvent) {
      const each = (method: 'addEventListener' | 'removeEventListener') => {
        for (const name of WINDOW_EVENTS) page[method]?.(name, onEvent);
        // It does not bubble.
        document?.[method]?.('resume', onEvent);
      };
      each('addEventListener');
      return () => each('removeEventListener');
    },
  };
}
