/**
 * Which durable tier the sidecar has (`CACHE_STORE_URL`), opened. Loads an adapter's code only when it is
 * chosen: most processes need neither.
 */
import type { MemoryStore } from '../cache/memory-store.ts';
import type { Store, StoreHealth } from '../cache/store.ts';
import { type Config, ConfigError } from '../config/config.ts';
import type { InvocationSource } from '../domain/answer.ts';
import type { Lifetimes } from '../domain/lifetime.ts';
import type { Log } from '../telemetry/log.ts';

export interface Durable {
  /** `undefined`: answers live and die with the process. */
  readonly store?: Store;
  /** The source, asked by one process of the fleet at a time where the store is shared. */
  readonly source: InvocationSource;
}

/** Rejects with a `ConfigError` for what an operator must mend first. */
export async function openDurable(
  config: Config,
  { lifetimes, memory }: { readonly lifetimes: Lifetimes; readonly memory: MemoryStore },
  source: InvocationSource,
  log: Log,
): Promise<Durable> {
  const { store: choice, partition } = config;
  const now = Date.now;
  const report = ({ tier, ok, trouble }: StoreHealth) => {
    if (ok && trouble !== undefined)
      log.event('warn', 'store works with less than it should', { tier, trouble });
    else if (ok) log.event('info', 'store recovered', { tier });
    else log.event('error', 'store in trouble', { tier, trouble });
  };
  switch (choice.kind) {
    case 'memory':
      return { source };
    case 'sqlite': {
      const { openSqliteStore } = await import('../stores/sqlite/store.ts');
      try {
        const held = () => memory.terminal();
        const store = await openSqliteStore({ path: choice.path, partition, lifetimes, report, held });
        return { source, store };
      } catch (cause) {
        throw new ConfigError([`CACHE_STORE_URL: ${(cause as Error).message}`]);
      }
    }
    case 'redis': {
      const { createRedisLink } = await import('../stores/redis/link.ts');
      const { createRedisStore } = await import('../stores/redis/store.ts');
      const { leased } = await import('../stores/redis/lease.ts');
      const link = createRedisLink({ url: choice.url, report });
      const store = createRedisStore({ link, partition, lifetimes, now });
      const deadlineMs = config.upstream.timeoutMs;
      return { store, source: leased(source, { link, store, partition, lifetimes, deadlineMs, now }) };
    }
  }
}
