/** Streams and lookups as a caller reads them, each over a socket of its own; a stream's can be stalled and reset. */
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

export interface StreamHandlers {
  event(event: StreamEvent): void;
  /** Once: it ended in order, was cut, or never came to be. `status` is what it was answered with. */
  closed(how: 'ended' | 'cut', status: number | undefined): void;
}

export interface EventClient {
  /** The last `retry:` line, ms. */
  retryMs(): number;
  /** Reads nothing for a while. */
  stall(ms: number): void;
  /** The caller goes away, by a FIN or by an RST. */
  leave(how: 'end' | 'reset'): void;
}

export function openEvents(
  url: string,
  ids: readonly string[],
  { event, closed }: StreamHandlers,
): EventClient {
  const query = ids.map((id) => `id=${id}`).join('&');
  let response: IncomingMessage | undefined;
  let rest = '';
  let retryMs = 1_000;
  let isClosed = false;

  const request = get(`${url}/api/v1/invocations/events?${query}`, { agent: false }, (came) => {
    response = came;
    came.setEncoding('utf8').on('data', read);
    came.on('end', () => close('ended'));
    came.on('close', () => close('cut'));
    came.on('error', () => {});
  });
  request.on('error', () => close('cut'));
  request.on('close', () => {
    if (response === undefined) close('cut');
  });

  function close(how: 'ended' | 'cut'): void {
    if (isClosed) return;
    isClosed = true;
    closed(how, response?.statusCode);
  }

  function read(more: string): void {
    const blocks = (rest + more).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) readBlock(block);
  }

  function readBlock(block: string): void {
    const data: string[] = [];
    let name = 'message';
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) name = line.slice('event: '.length);
      else if (line.startsWith('data: ')) data.push(line.slice('data: '.length));
      else if (line.startsWith('retry: ')) retryMs = Number(line.slice('retry: '.length));
    }
    if (data.length > 0 && !isClosed) event({ event: name, data: data.join('\n') });
  }

  return {
    retryMs: () => retryMs,
    stall(ms) {
      response?.pause();
      setTimeout(() => response?.resume(), ms);
    },
    leave(how) {
      isClosed = true;
      if (how === 'reset') request.socket?.resetAndDestroy();
      request.destroy();
    },
  };
}

export interface Asked {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Rejects when the connection is cut or the caller leaves. */
export function askOnce(
  address: string,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    get(address, { agent: false, headers, signal }, (response) => {
      const { statusCode: status = 0 } = response;
      text(response).then((body) => resolve({ status, headers: response.headers, text: body }), reject);
    }).on('error', reject);
  });
}
