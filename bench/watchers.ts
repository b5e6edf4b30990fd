/** Thousands of callers of one server, in a process of their own on the load's core (`probes/watchers.ts`). */
import { once } from 'node:events';
import type { Order, Told } from './probes/watchers.ts';
import { launchGateway, stop } from './processes.ts';

export interface Watchers {
  /** Resolves when all have their first event. */
  open(count: number, port: number, text: string): Promise<Told>;
  /** Each asks once more; resolves when all have something. */
  send(text: string): Promise<Told>;
  /** Calls `cause` once they are ready; resolves when all have something. */
  await(cause: () => void): Promise<Told>;
  close(): Promise<void>;
}

/** However slow. */
const LIMIT_MS = 30_000;

/** @param files each caller takes one */
export function startWatchers(files: number): Watchers {
  const child = launchGateway({
    core: 'load',
    entry: 'bench/probes/watchers.ts',
    env: {},
    ipc: true,
    files,
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });

  const gone = once(child, 'exit').then(() => {
    throw new Error(`the callers ended: ${complaint}`);
  });
  gone.catch(() => {});

  async function message(): Promise<unknown> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error('the callers are too slow')), LIMIT_MS);
    try {
      const told = once(child, 'message', { signal: limit.signal });
      const [value] = (await Promise.race([told, gone])) as [unknown];
      return value;
    } finally {
      clearTimeout(timer);
    }
  }

  async function told(order: Order, cause?: () => void): Promise<Told> {
    child.send(order);
    if (cause !== undefined) {
      await message();
      cause();
    }
    return (await message()) as Told;
  }

  return {
    open: (count, port, text) => told({ do: 'open', count, port, text }),
    send: (text) => told({ do: 'send', text }),
    await: (cause) => told({ do: 'await' }, cause),
    close: () => stop(child),
  };
}

/** ms of the clock that all processes share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
