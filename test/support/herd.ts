/**
 * Many callers of one job at once, each on a connection of its own: opened first, then all let go together.
 * In a process of its own, so that the herd and the gateway do not share an event loop.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Answer, gather, tally } from './callers.ts';

export interface HerdOrder {
  /** Gateways that are taken in turn. */
  readonly urls: readonly string[];
  readonly id: string;
  readonly callers: number;
}

export interface HerdReport {
  /** How many answers of each kind: `200 <etag> <cache-status>` or `503 overloaded`. */
  readonly answers: Readonly<Record<string, number>>;
  /** From letting go to the last answer, ms. */
  readonly tookMs: number;
}

/** Sends the herd; resolves when everybody has an answer or was cut off (`0 undefined`). */
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

async function run({ urls, id, callers }: HerdOrder): Promise<HerdReport> {
  const all = await gather(urls, callers);
  const startedAt = performance.now();
  const answers = await Promise.all(all.map((caller) => caller.ask(id)));
  const tookMs = performance.now() - startedAt;
  for (const caller of all) caller.leave();
  return { answers: tally(answers, kindOf), tookMs };
}

function kindOf({ status, header, body }: Answer): string {
  return status === 200
    ? `200 ${header('etag')} ${header('cache-status')}`
    : `${status} ${/"error":"(\w+)"/.exec(body)?.[1]}`;
}

if (process.argv[2] === 'herd') {
  process.once('message', (order: HerdOrder) => {
    void run(order).then((report) => process.send?.(report));
  });
}
