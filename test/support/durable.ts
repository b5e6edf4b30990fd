/** A gateway whose terminal answers outlive it: a file for the sidecar, the objects' storage for workerd. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Env, type Gateway, startNode, startWorkerd } from './gateway.ts';
import { scratchFolder } from './scratch.ts';

export interface DurablePlace {
  /** Starts a gateway on it; one at a time. */
  start(runtime: Gateway['runtime'], upstreamUrl: string, env?: Env): Promise<Gateway>;
  remove(): void;
}

export function createDurablePlace(): DurablePlace {
  const folder = scratchFolder('gateway-durable');
  const objects = join(folder, 'objects');
  mkdirSync(objects);
  return {
    start: (runtime, upstreamUrl, env = {}) =>
      runtime === 'node'
        ? startNode(upstreamUrl, { CACHE_STORE_URL: `sqlite:${join(folder, 'store.db')}`, ...env })
        : startWorkerd(upstreamUrl, env, { persistTo: objects }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
