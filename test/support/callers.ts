/**
 * Thousands of callers at once, each with a socket of its own: lean enough that they and the simulator fit into a test's
 * process. One request at a time on a socket; nothing is retried.
 */
import { dial, headerIn, requestText, sendOn } from './raw-socket.ts';

export interface Answer {
  /** 0 when the connection ended before the answer did. */
  readonly status: number;
  readonly body: string;
  /** By lower-case name; empty when there is none. */
  header(name: string): string;
}

export interface Caller {
  /** A lookup; never rejects. */
  ask(id: string): Promise<Answer>;
  /** Leaves without a word. */
  leave(): void;
}

/** Connections opened at once: within everybody's backlog. */
const BATCH = 200;
const LOST: Answer = { status: 0, body: '', header: () => '' };

/** Callers dealt round over the URLs, each connected. */
export async function gather(urls: string | readonly string[], count: number): Promise<Caller[]> {
  const all = [urls].flat();
  const callers: Caller[] = [];
  while (callers.length < count) {
    const size = Math.min(BATCH, count - callers.length);
    const from = callers.length;
    callers.push(
      ...(await Promise.all(Array.from({ length: size }, (_, i) => join(all[(from + i) % all.length]!)))),
    );
  }
  return callers;
}

async function join(url: string): Promise<Caller> {
  const socket = await dial(url);
  return {
    async ask(id) {
      const outcome = await sendOn(socket, requestText(`/api/v1/invocations/${id}`));
      if (typeof outcome === 'string') return LOST;
      const { status, head, body } = outcome;
      return { status, body: body.toString(), header: (name) => headerIn(head, name) ?? '' };
    },
    // By a reset: workerd notices that at once, and drops what runs for the caller.
    leave: () => void socket.resetAndDestroy(),
  };
}

/** How often each value comes. */
export function tally<T>(answers: readonly T[], of: (answer: T) => string | number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const key = of(answer);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** `Cache-Status` without our own name. */
export function cacheStatusOf(answer: Answer): string {
  return answer.header('cache-status').replace('chroma-sync-gateway; ', '');
}
