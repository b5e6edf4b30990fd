/** Many pages in one process: each has a client, a grant and an event stream of its own, and watches the newest job. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../client/entry.ts';

const MORE = 100;
const MOST = 1_000;
/** They come one after the other, as people do, ms. */
const APART_MS = 10;
/** How long until somebody who has nothing to watch looks again, ms. */
const IDLE_MS = 500;

export interface WatchersOptions {
  /** Of the gateway. */
  readonly url: string;
  /** A grant for nobody but this one. */
  readonly grantFor: (subject: string) => Promise<string>;
  /** The newest job that still runs. */
  readonly running: () => string | undefined;
}

export interface Watchers {
  readonly count: number;
  readonly canAdd: boolean;
  /** A hundred more, at most a thousand in all. */
  add(): void;
  close(): void;
}

export function createWatchers({ url, grantFor, running }: WatchersOptions): Watchers {
  const clients: Client[] = [];
  const end = new AbortController();

  async function watch(number: number): Promise<void> {
    await sleep((number % MORE) * APART_MS, undefined, { signal: end.signal });
    const client = createClient({ url, grant: () => grantFor(`watcher-${number}`) });
    clients.push(client);
    while (!end.signal.aborted) {
      const id = running();
      // What a watcher sees nobody looks at; that it watches is the point. A watch that fails is begun anew.
      if (id !== undefined) await client.wait(id, { signal: end.signal }).catch(() => {});
      if (id === undefined || id === running()) await sleep(IDLE_MS, undefined, { signal: end.signal });
    }
  }

  let count = 0;
  return {
    get count() {
      return count;
    },
    get canAdd() {
      return count < MOST;
    },
    add() {
      if (count >= MOST) return;
      for (let i = 0; i < MORE; i += 1) {
        // Rejects when it is ended, and nobody is left to care.
        watch(count).catch(() => {});
        count += 1;
      }
    },
    close() {
      end.abort();
      for (const client of clients) client.close();
    },
  };
}
