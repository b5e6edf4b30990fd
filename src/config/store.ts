/** `CACHE_STORE_URL`: where terminal answers outlive the process (contract §3). Opens nothing. */
import { sqliteNameProblem } from '../stores/sqlite/name.ts';
import { isDecodable } from './decodable.ts';
import type { Environment } from './environment.ts';

export type StoreConfig =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly url: string };

/** `memory` where there is a problem. */
export function parseStore({ textOrDefault, bad, runtime }: Environment): StoreConfig {
  const value = textOrDefault('CACHE_STORE_URL');
  const scheme = /^[a-z]+:/i.exec(value)?.[0].toLowerCase();
  if (scheme === 'memory:' && value.length === scheme.length) return { kind: 'memory' };
  if (runtime === 'workers') {
    bad('CACHE_STORE_URL', 'must be memory: on Workers, where the Durable Object keeps terminal answers');
  } else if (scheme === 'sqlite:' && value.length > scheme.length) {
    const path = value.slice(scheme.length);
    const problem = sqliteNameProblem(path);
    if (problem === undefined) return { kind: 'sqlite', path };
    bad('CACHE_STORE_URL', problem);
  } else if ((scheme === 'redis:' || scheme === 'rediss:') && URL.canParse(value)) {
    const { hostname = '', username, password, pathname = '' } = URL.parse(value) ?? {};
    if (hostname === '') bad('CACHE_STORE_URL', 'names no Redis host');
    else if (!isDecodable(`${username}:${password}`)) bad('CACHE_STORE_URL', 'holds a % that must be %25');
    else if (!/^\/?\d*$/.test(pathname)) bad('CACHE_STORE_URL', 'may end in the number of a database only');
    else return { kind: 'redis', url: value };
  } else {
    bad('CACHE_STORE_URL', 'must be memory:, sqlite:PATH, redis://… or rediss://…');
  }
  return { kind: 'memory' };
}

/** What a store's URL holds that must not show: the password as Redis knows it, an empty text where there is none. */
export function storePasswordOf(store: StoreConfig): readonly string[] {
  return store.kind === 'redis' ? [decodeURIComponent(URL.parse(store.url)?.password ?? '')] : [];
}
