/**
 * The transport for runtimes with the standard `fetch` and no other client: Workers. `redirect: 'manual'`,
 * because fetch delivers `x-chroma-token` to wherever a redirect points (facts M1).
 */
import { type Transport, TransportFault, type UpstreamRequest } from './transport.ts';

/** Cloudflare's own answers for a TLS failure towards the host that was asked. */
const TLS_STATUSES: readonly number[] = [525, 526];

export function createFetchTransport(fetcher: typeof fetch): Transport {
  return async (request) => {
    const { url, headers, signal } = request;
    let response: Response;
    try {
      response = await fetcher(url, { headers, signal, redirect: 'manual' });
    } catch (error) {
      // workerd reports refused, reset, DNS and TLS alike, without a code (facts M21).
      throw new TransportFault('reset', error);
    }
    if (TLS_STATUSES.includes(response.status)) {
      letGo(response);
      throw new TransportFault('tls', `status ${response.status}`);
    }
    const head = {
      status: response.status,
      header: (name: string) => response.headers.get(name) ?? undefined,
      headerText: () => [...response.headers].join('\n'),
    };
    if (request.wantsBody(head)) return { head, body: await read(response.body, request) };
    letGo(response);
    return { head, body: undefined };
  };
}

function letGo(response: Response): void {
  response.body?.cancel().catch(() => {});
}

async function read(
  body: ReadableStream<Uint8Array> | null,
  { maxBytes, onProgress }: UpstreamRequest,
): Promise<Uint8Array | 'too_large'> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      onProgress(bytes);
      if (bytes > maxBytes) return 'too_large'; // leaving the loop cancels the rest
      chunks.push(chunk);
    }
  } catch (error) {
    throw new TransportFault('reset', error);
  }
  return Buffer.concat(chunks);
}
