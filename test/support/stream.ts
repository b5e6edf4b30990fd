/** Reads event streams as a browser's `fetch` would, with eventsource's rules written out: for tests only. */

export interface StreamEvent {
  readonly event: string;
  /** The `data:` lines, joined by line ends. */
  readonly data: string;
  readonly id: string | undefined;
  /** ms since the stream was asked for. */
  readonly at: number;
}

export interface Stream {
  readonly status: number;
  readonly headers: Headers;
  /** The last `retry:` line, ms. */
  retry(): number | undefined;
  /** Comment lines so far. */
  comments(): number;
  /** All that came so far. */
  readonly events: readonly StreamEvent[];
  /** The text so far, as it came. */
  text(): string;
  /** Resolves when the stream has ended in order, with the time since it was asked for, ms; rejects when it was cut. */
  readonly ended: Promise<number>;
  /** The first event that this holds for, or a rejection after `withinMs`. */
  until(holds: (event: StreamEvent) => boolean, withinMs?: number): Promise<StreamEvent>;
  /** The caller goes away. */
  leave(): void;
}

/** Resolves when the headers have come. */
export async function openStream(
  url: string,
  ids: readonly string[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Stream> {
  const startedAt = performance.now();
  const aborted = new AbortController();
  const query = ids.map((id) => `id=${id}`).join('&');
  const response = await fetch(`${url}/api/v1/invocations/events?${query}`, {
    headers,
    signal: aborted.signal,
    redirect: 'manual',
  });
  const events: StreamEvent[] = [];
  const waiting = new Set<() => void>();
  let text = '';
  let parsed = 0;
  let retry: number | undefined;
  let comments = 0;
  const since = () => performance.now() - startedAt;

  function parse(): void {
    for (let end = text.indexOf('\n\n', parsed); end >= 0; end = text.indexOf('\n\n', parsed)) {
      const lines = text.slice(parsed, end).split('\n');
      parsed = end + 2;
      const fields = lines.map((line) => /^([a-z]*):? ?(.*)$/s.exec(line)!.slice(1) as [string, string]);
      const of = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value);
      comments += lines.filter((line) => line.startsWith(':')).length;
      retry = of('retry').map(Number).at(-1) ?? retry;
      if (of('data').length > 0) {
        events.push({
          event: of('event')[0] ?? 'message',
          data: of('data').join('\n'),
          id: of('id')[0],
          at: since(),
        });
      }
    }
    for (const look of waiting) look();
  }

  async function read(): Promise<number> {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      parse();
    }
    return since();
  }
  const ended = read();
  ended.catch(() => {});

  return {
    status: response.status,
    headers: response.headers,
    retry: () => retry,
    comments: () => comments,
    events,
    text: () => text,
    ended,
    until(holds, withinMs = 10_000) {
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`not within ${withinMs} ms: ${text}`));
        }, withinMs);
        const look = () => {
          const found = events.find(holds);
          if (found === undefined) return;
          clearTimeout(late);
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
    leave: () => aborted.abort(),
  };
}

/** The job in an `invocation` event, or an error's fields. */
export function bodyOfEvent(event: StreamEvent): Readonly<Record<string, unknown>> {
  return JSON.parse(event.data) as Readonly<Record<string, unknown>>;
}
