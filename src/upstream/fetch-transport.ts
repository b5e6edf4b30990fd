/**
 * The transport for runtimes with the standard `fetch` and no other client: Workers. `redirect: 'manual'`,
 * because fetch delivers `x-chroma-token` to wherever a redirect points (facts M1).
 */
import { type Transport, TransportFault } from './transport.ts';

/** Cloudflare's own answers for a TLS failure towards the host that was asked. */
const TLS_STATUSES: readonly number[] = [525, 526];

export function createFetchTransport(fetcher: typeof fetch): Transport {
  return async ({ url, headers, signal }) => {
    let response: Response;
    try {
      response = await fetcher(url, { headers, signal, redirect: 'manual' });
    } catch (error) {
      // workerd reports refused, reset, DNS and TLS alike, without a code (facts M21).
      throw new TransportFault('reset', error);
    }
    if (TLS_STATUSES.includes(response.status)) {
      void response.body?.cancel();
      throw new TransportFault('tls', `status ${response.status}`);
    }
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      headerText: () => [...response.headers].join('\n'),
      body: chunksOf(response.body),
      discard: () => void response.body?.cancel().catch(() => {}),
    };
  };
}

async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  try {
    yield* body;
  } catch (error) {
    throw new TransportFault('reset', error);
  }
}
