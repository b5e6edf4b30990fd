/**
 * `node bench/load.ts`: ten thousand cold callers of distinct ids at once, then a million random ids that upstream
 * does not know, with real jobs beside them. Upstream must see 64 calls at once and no more, memory must reach a
 * plateau, and the jobs must stay. Loopback only; ends by itself, with status 1 when a promise does not hold.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { gather, tally } from '../test/support/callers.ts';
import { mib, quantile, type Sample, startWatchedSidecar } from './watched-sidecar.ts';

const { values } = parseArgs({ options: { ids: { type: 'string', default: '1000000' } } });
const IDS = Number(values.ids);
const FLOOD = 10_000;
const PLACES = 64;
const JOBS = 1_000;
const CALLERS = 128;
const CACHE_MAX_BYTES = 67_108_864;
const UPSTREAM_MS = 100;
/** From the second tenth to the last: what RSS may still drift. */
const MAX_GROWTH = 1.1;

const broken: string[] = [];
const jobs = Array.from({ length: JOBS }, () => crypto.randomUUID());
const upstream = await startUpstream(new Set<string>(jobs));
const sidecar = await startWatchedSidecar(upstream.url, {
  CHROMA_API_KEY: 'ck-load-0123456789',
  CACHE_MAX_BYTES: String(CACHE_MAX_BYTES),
  UPSTREAM_TIMEOUT_MS: '30000',
  LOG_LEVEL: 'fatal',
});
await askAll(jobs);
await flood();
await million();
const status = await sidecar.stop();
upstream.close();
for (const each of [...broken.slice(0, 20), ...sidecar.complaints()]) console.error(each);
process.exitCode = broken.length === 0 && sidecar.complaints().length === 0 && status === 0 ? 0 : 1;

async function flood(): Promise<void> {
  upstream.delay(UPSTREAM_MS);
  const [callers, [witness]] = await Promise.all([gather(sidecar.url, FLOOD), gather(sidecar.url, 1)]);
  const startedAt = performance.now();
  let isOver = false;
  const answers = Promise.all(callers.map((caller) => caller.ask(crypto.randomUUID())));
  void answers.then(() => {
    isOver = true;
  });
  const hitsMs: number[] = [];
  while (!isOver) {
    const from = performance.now();
    const { status: hit } = await witness!.ask(jobs[hitsMs.length % JOBS]!);
    hitsMs.push(performance.now() - from);
    if (hit !== 200) broken.push(`a known job was answered ${hit} during the flood`);
    if (hit === 0) break; // cut off: it would be so at once and for ever
  }
  const all = await answers;
  const tookMs = performance.now() - startedAt;
  const counts = tally(all, (answer) => `${answer.status} ${/"error":"(\w+)"/.exec(answer.body)?.[1]}`);
  console.log(`${FLOOD} distinct cold ids at once, upstream takes ${UPSTREAM_MS} ms:`, counts);
  console.log(`  upstream saw at most ${upstream.most()} calls at once; last answer after ${ms(tookMs)}`);
  console.log(
    `  meanwhile ${hitsMs.length} hits one after another: median ${ms(quantile(hitsMs, 0.5))}, ` +
      `99 % within ${ms(quantile(hitsMs, 0.99))}, slowest ${ms(quantile(hitsMs, 1))}`,
  );
  if (upstream.most() > PLACES) broken.push('upstream saw more calls at once than it may');
  if (Object.keys(counts).some((kind) => !/^(404 not_found|503 overloaded)$/.test(kind)))
    broken.push('refused uncleanly');
  for (const caller of [...callers, witness!]) caller.leave();
  upstream.delay(0);
}

async function million(): Promise<void> {
  const startedAt = performance.now();
  const before = upstream.asked();
  const first = await sidecar.sample();
  const samples: Sample[] = [];
  for (let tenth = 0; tenth < 10; tenth++) {
    await askAll(Array.from({ length: IDS / 10 }, () => crypto.randomUUID()));
    samples.push(await sidecar.sample());
  }
  const tookMs = performance.now() - startedAt;
  const asked = upstream.asked();
  await askAll(jobs);
  const lost = upstream.asked() - asked;
  const [early, last] = [samples[1]!, samples.at(-1)!];
  console.log(`${IDS} random ids, in ${ms(tookMs)}: upstream was asked ${asked - before} times`);
  console.log(`  before: RSS ${mib(first.rssBytes)}, heap after a collection ${mib(first.heapBytes)}`);
  console.log(`  RSS after each tenth: ${samples.map(({ rssBytes }) => mib(rssBytes)).join(', ')}`);
  console.log(`  heap after a collection: ${samples.map(({ heapBytes }) => mib(heapBytes)).join(', ')}`);
  console.log(
    `  CACHE_MAX_BYTES ${mib(CACHE_MAX_BYTES)}; of ${JOBS} known jobs ${lost} had to be asked for again`,
  );
  if (last.rssBytes > early.rssBytes * MAX_GROWTH) broken.push('RSS reached no plateau');
  if (last.heapBytes > early.heapBytes * MAX_GROWTH) broken.push('the heap reached no plateau');
  if (lost > 0) broken.push('known jobs were lost');
}

async function askAll(ids: readonly string[]): Promise<void> {
  const callers = await gather(sidecar.url, CALLERS);
  let next = 0;
  await Promise.all(
    callers.map(async (caller) => {
      for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
        const { status: got } = await caller.ask(id);
        if (got !== 200 && got !== 404) broken.push(`${id} was answered ${got}`);
      }
      caller.leave();
    }),
  );
}

/** The leanest upstream there is: complete jobs for those it knows, 404 for all others. */
async function startUpstream(known: ReadonlySet<string>) {
  let asked = 0;
  let now = 0;
  let most = 0;
  let delayMs = 0;
  const server = createServer((socket) => {
    socket
      .setNoDelay(true)
      .setEncoding('latin1')
      .on('error', () => {});
    socket.on('data', (text: string) => {
      const id = /invocations\/(\S+)/.exec(text)?.[1] ?? '';
      asked++;
      most = Math.max(most, ++now);
      const send = () => {
        now--;
        socket.write(answerTo(id, known.has(id)));
      };
      if (delayMs > 0) setTimeout(send, delayMs);
      else send();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    most: () => most,
    delay(ms: number): void {
      delayMs = ms;
    },
    close: () => void server.close(),
  };
}

function answerTo(id: string, isKnown: boolean): string {
  if (!isKnown) return 'HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}';
  const body = `{"id":"${id}","status":{"complete":{}},"created_at":"2026-01-01T00:00:00Z","metadata":{}}`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function ms(value: number): string {
  return value < 10_000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(0)} s`;
}
