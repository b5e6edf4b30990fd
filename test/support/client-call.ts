/** One request of the client under test, answered by the test: at once, piece by piece, or never. */

/** Where the gateway of a rig is, and its grant route. */
export const GATEWAY = 'https://gateway.test/base';
export const GRANT_ROUTE = '/api/grant';

export interface Call {
  /** ms since the rig was made, to 10 ms: each timer of 0 ms takes one. */
  readonly at: number;
  readonly kind: 'stream' | 'lookup' | 'list' | 'grant';
  readonly url: string;
  readonly init: RequestInit;
  readonly headers: Readonly<Record<string, string>>;
  /** Whom it asks about. */
  readonly ids: readonly string[];
  /** Answered to its end, failed, or given up by the client. */
  isOver(): boolean;
  /** Given up by the client. */
  isGivenUp(): boolean;
  /** A whole answer. @param body text as it is; else JSON */
  answer(status: number, body?: unknown, headers?: Record<string, string>): void;
  /** A network that does not let it through, or breaks what it had let through. */
  fail(): void;
  /** Begins an event stream. @param text its first bytes; none: headers only */
  begin(text?: string): Call;
  write(text: string): void;
  event(name: string, data: unknown): void;
  /** Closes the stream. */
  end(): void;
}

/** @param at see {@link Call.at} */
export function createCall(url: string, init: RequestInit, at: number) {
  const answered = Promise.withResolvers<Response>();
  const encoder = new TextEncoder();
  const signal = init.signal as AbortSignal;
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  let isOver = false;
  let isGivenUp = false;
  const kind = kindOf(url);

  function breakOff(reason: unknown): void {
    if (isOver) return;
    isOver = true;
    answered.reject(reason);
    body?.error(reason);
  }

  function idsOf(): string[] {
    if (kind === 'stream') return new URL(url, GATEWAY).searchParams.getAll('id');
    if (kind === 'lookup') return [url.slice(-36)];
    if (kind === 'list') return [];
    return (JSON.parse(init.body as string) as { invocations: string[] }).invocations;
  }

  const giveUp = () => {
    isGivenUp = !isOver;
    breakOff(signal.reason);
  };
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp);
  const call: Call = {
    at,
    kind,
    url,
    init,
    headers: init.headers as Record<string, string>,
    ids: idsOf(),
    isOver: () => isOver,
    isGivenUp: () => isGivenUp,
    answer(status, content, headers) {
      const text = typeof content === 'string' || content === undefined ? content : JSON.stringify(content);
      isOver = true;
      answered.resolve(new Response(text, { status, ...(headers && { headers }) }));
    },
    fail: () => breakOff(new TypeError('fetch failed')),
    begin(text) {
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          body = controller;
        },
      });
      answered.resolve(new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } }));
      if (text !== undefined) call.write(text);
      return call;
    },
    write: (text) => body!.enqueue(encoder.encode(text)),
    event: (name, data) =>
      call.write(`event: ${name}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`),
    end() {
      isOver = true;
      body!.close();
    },
  };
  return { call, response: answered.promise };
}

function kindOf(url: string): Call['kind'] {
  if (url === GRANT_ROUTE) return 'grant';
  if (url.includes('/events?')) return 'stream';
  return url.includes('/invocations?') ? 'list' : 'lookup';
}
