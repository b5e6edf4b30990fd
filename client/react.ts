'use client';
/** The package's `./react`: a hook over a client's `subscribe` and `snapshot`. */
import { useCallback, useSyncExternalStore } from 'react';
import type { Client } from './client.ts';
import { IDLE, LOADING, type Snapshot } from './snapshot.ts';

/**
 * Watches an invocation while the component is mounted, and renders it again whenever its snapshot changes.
 * On the server, and while the page hydrates, it is `loading`, without an id `idle`.
 * @param client one for the whole page, made outside of components
 * @param id UUID; `undefined` watches nothing
 */
export function useInvocation(client: Client, id: string | undefined): Snapshot {
  const subscribe = useCallback((onChange: () => void) => client.subscribe(id, onChange), [client, id]);
  return useSyncExternalStore(
    subscribe,
    () => client.snapshot(id),
    () => (id === undefined ? IDLE : LOADING),
  );
}
