/**
 * Which durable tier the sidecar has (`CACHE_STORE_URL`), opened. Loads an adapter's code only when it is
 * chosen: most processes need neither.
 */
import type { Store, StoreHealth } from '../cache/store.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import type { StoreConfig } from '../config/store.ts';
import type { Source } from '../domain/answer.ts';
import type { Memory } from '../lookups.ts';
import { refuseWrongPath } from '../stores/sqlite/path.ts';
import type { Log } from '../telemetry/log.ts';

export interface OpenedStore {
  /** `undefined`: answers live and die with the process. */
  readonly store?: Store;
  /** Where a fleet has the store: a source that one process of it asks at a time. */
  readonly share?: (source: Source) => Source;
}

/** @throws ConfigError for a file that can never be a database */
export function refuseWrongStore(store: StoreConfig): void {
  if (store.kind !== 'sqlite') return;
  try {
    refuseWrongPath(store.path);
  } catch (cause) {
    throw new ConfigError([`CACHE_STORE_URL: ${(cause as Error).message}`]);
  }
}

/** Rejects with a `ConfigError` for what an operator must mend first. */
export async function openStore(
  config: Config,
  { lifetimes, memory }: Memory,
  log: Log,
): Promise<OpenedStore> {
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
      return {};
    case 'sqlite': {
      const { openSqliteStore } = await import('../stores/sqlite/store.ts');
      try {
        const held = () => memory.terminal();
        return { store: await openSqliteStore({ path: choice.path, partition, lifetimes, report, held }) };
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
      const share = (source: Source) =>
        leased(source, { link, store, partition, lifetimes, deadlineMs, now });
      return { store, share };
    }
  }
}
