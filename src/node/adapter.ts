/** Hono's adapter for Node: most requests need none, so a start does not wait for it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { getRequestListener } from '@hono/node-server';

export interface Adapter {
  /** Loads it now. */
  load(): Promise<void>;
  /** Resolves when the answer is written, or on its way. */
  answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void>;
}

type FetchCallback = Parameters<typeof getRequestListener>[0];

export function createAdapter(fetchCallback: FetchCallback): Adapter {
  let listener: ReturnType<typeof getRequestListener> | undefined;

  async function load(): Promise<NonNullable<typeof listener>> {
    const adapter = await import('@hono/node-server');
    listener ??= adapter.getRequestListener(fetchCallback);
    return listener;
  }

  return {
    load: async () => void (await load()),
    answer: async (incoming, outgoing) => (listener ?? (await load()))(incoming, outgoing),
  };
}
