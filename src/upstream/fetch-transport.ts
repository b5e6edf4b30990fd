/**
 * The transport for runtimes with the standard `fetch` and no other client: Workers. `redirect: 'manual'`,
 * because fetch delivers `x-chroma-token` to wherever a redirect points (platform M1). The platform hides connections:
 * whether one is new is not ours to choose.
 */
import { GLIMPSE_BYTES, GLIMPSE_MS, type Transport, TransportFault } from './transport.ts';
import { within } from './within.ts';

/** Cloudflare's own answers for a TLS failure towards the host that was asked. */
const TLS_STATUSES: readonly number[] = [525, 526];

export function createFetchTransport(fetcher: typeof fetch): Transport {
  return async (request) => {
    const { url, headers, signal } = request;
    let response: Response;
    try {
      response = await fetcher(url, { headers, signal, redirect: 'manual' });
    } catch (error) {
      // workerd reports refused, reset, DNS and TLS alike, without a code (platform M21).
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
    const wish = request.wishFor(head);
    if (wish === 'nothing' || response.body === null) {
      letGo(response);
      return { head, body: wish === 'nothing' ? undefined : new Uint8Array() };
    }
    const reader = response.body.getReader();
    const { maxBytes, onProgress } = request;
    const body = wish === 'whole' ? read(reader, maxBytes, onProgress) : glimpse(reader, onProgress);
    return { head, body: await body };
  };
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function letGo(response: Response): void {
  response.body?.cancel().catch(() => {});
}

async function read(
  reader: Reader,
  maxBytes: number,
  onProgress: (bytes: number) => void,
): Promise<Uint8Array | 'too_large'> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new TransportFault('reset', error);
    });
    if (done) return Buffer.concat(chunks);
    bytes += value.byteLength;
    onProgress(bytes);
    if (bytes > maxBytes) {
      reader.cancel().catch(() => {});
      return 'too_large';
    }
    chunks.push(value);
  }
}

async function glimpse(
  reader: Reader,
  onProgress: (bytes: number) => void,
): Promise<Uint8Array | 'too_large' | undefined> {
  const body = read(reader, GLIMPSE_BYTES, onProgress).catch(() => undefined);
  const seen = await within(body, GLIMPSE_MS, () => undefined);
  if (seen === undefined) reader.cancel().catch(() => {});
  return seen;
}
