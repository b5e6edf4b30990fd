/** Who asks whom, once a second: counted by the gateway and by the simulated Chroma, and what polling would have cost. */
import type { Second } from './state.ts';

/** What the meter has read so far. */
export interface Reading {
  readonly watches: number;
  readonly asked: number;
  readonly wouldHaveAsked: number;
  readonly seconds: readonly Second[];
}

export interface MeterOptions {
  /** Jobs that somebody watches now, once for each watcher; 0 while there is no gateway to ask. */
  readonly watches: () => Promise<number>;
  /** Questions that Chroma has been asked so far. */
  readonly asked: () => number;
  /** ms, monotonic. */
  readonly clock: () => number;
}

const TICK_MS = 1_000;
const SECONDS = 60;
/** How often a page without an event stream would ask about each job, ms: as often as the gateway takes an answer for fresh. */
const POLLING_MS = 2_000;

/** @returns reads once; call it every second */
export function createMeter({ watches, asked, clock }: MeterOptions): () => Promise<Reading> {
  const seconds: Second[] = [];
  let last = { at: clock(), asked: asked() };
  let wouldHaveAsked = 0;
  return async () => {
    const watched = await watches();
    const now = { at: clock(), asked: asked() };
    const passed = Math.max(1, now.at - last.at) / TICK_MS;
    const polling = watched / (POLLING_MS / TICK_MS);
    wouldHaveAsked += polling * passed;
    seconds.push({ polling, asked: (now.asked - last.asked) / passed });
    if (seconds.length > SECONDS) seconds.shift();
    last = now;
    return { watches: watched, asked: now.asked, wouldHaveAsked: Math.round(wouldHaveAsked), seconds };
  };
}

/** What the gateway's `/readyz` says of its watches; 0 where it does not answer. */
export async function watchesOf(gatewayUrl: string): Promise<number> {
  try {
    const response = await fetch(`${gatewayUrl}/readyz`, { signal: AbortSignal.timeout(TICK_MS / 2) });
    const { watches } = (await response.json()) as { readonly watches: { readonly held: number } };
    return watches.held;
  } catch {
    return 0;
  }
}
