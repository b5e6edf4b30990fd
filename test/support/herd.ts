/**
 * Many callers at once over real sockets, each its own connection: opened first, then all let go together.
 * In a process of its own, so that the herd and the gateway do not share an event loop.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

export interface HerdOrder {
  /** One request a caller; several URLs are taken in turn. */
  readonly urls: readonly string[];
  readonly callers: number;
  /** How many of them hang up right after asking. */
  readonly leave?: number;
}

export interface HerdReport {
  /** How many answers of each kind: `200 <etag> <cache-status>` or `503 overloaded`. */
  readonly answers: Readonly<Record<string, number>>;
  /** From letting go to the last answer, ms. */
  readonly tookMs: number;
}

/** Sends the herd; `onReady` is called when every connection stands and before anyone asks. */
export async function herd(order: HerdOrder): Promise<HerdReport> {
  const child = fork(fileURLToPath(import.meta.url), ['herd'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send(order);
  const [report] = (await once(child, 'message')) as [HerdReport];
  child.disconnect();
  await once(child, 'exit');
  return report;
}

async function run({ urls, callers, leave = 0 }: HerdOrder): Promise<HerdReport> {
  const open = async (index: number) => {
    const url = new URL(urls[index % urls.length]!);
    const socket = connect(Number(url.port), url.hostname);
    await once(socket, 'connect');
    return { socket, url };
  };
  const all: Awaited<ReturnType<typeof open>>[] = [];
  for (let start = 0; start < callers; start += 500) {
    const batch = Array.from({ length: Math.min(500, callers - start) }, (_, i) => open(start + i));
    all.push(...(await Promise.all(batch)));
  }
  const answers: Record<string, number> = {};
  const startedAt = performance.now();
  await Promise.all(
    all.map(
      ({ socket, url }, index) =>
        new Promise<void>((resolve) => {
          let text = '';
          const finish = (kind: string) => {
            answers[kind] = (answers[kind] ?? 0) + 1;
            socket.destroy();
            resolve();
          };
          socket.on('data', (chunk) => {
            text += chunk.toString('latin1');
            const end = text.indexOf('\r\n\r\n');
            const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
            if (end >= 0 && text.length >= end + 4 + length) finish(kindOf(text, end));
          });
          socket.on('error', () => finish('error'));
          socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: herd\r\n\r\n`);
          if (index < leave) setImmediate(() => finish('left'));
        }),
    ),
  );
  return { answers, tookMs: performance.now() - startedAt };
}

function kindOf(text: string, end: number): string {
  const status = text.slice(9, 12);
  const header = (name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)?.[1] ?? '';
  const code = /"error":"(\w+)"/.exec(text.slice(end))?.[1];
  return status === '200' ? `200 ${header('etag')} ${header('cache-status')}` : `${status} ${code}`;
}

if (process.argv[2] === 'herd') {
  process.once('message', (order: HerdOrder) => {
    void run(order).then((report) => process.send?.(report));
  });
}
