/**
 * What a test asks of a store that lives in a Durable Object, as it crosses HTTP: calls in order, a reply to each.
 * Knows neither runtime.
 */
import type { Entry } from '../../src/cache/entry.ts';
import type { StoreHealth } from '../../src/cache/store.ts';
import type { InvocationId } from '../../src/domain/job.ts';

export type StoreCall =
  | readonly ['get', InvocationId]
  | readonly ['put', InvocationId, Entry]
  | readonly ['delete', InvocationId]
  | readonly ['close']
  /** Past the store: base64 of what is to stand in the storage, and of what stands there. */
  | readonly ['write', InvocationId, string]
  | readonly ['read', InvocationId];

export interface StoreReplies {
  /** One a call; `null` for nothing. */
  readonly replies: readonly (Entry | string | null)[];
  /** After all of them. */
  readonly health: StoreHealth;
}

/** JSON has no `Infinity`: a terminal entry's windows travel as `null`. */
export function parseCrossed<T extends readonly StoreCall[] | StoreReplies>(text: string): T {
  return JSON.parse(text, (key, value: unknown) =>
    value === null && (key === 'freshMs' || key === 'staleIfErrorMs') ? Infinity : value,
  ) as T;
}
