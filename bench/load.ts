/**
 * `node bench/load.ts`: one million random ids through a sidecar whose upstream says 404, with real jobs beside
 * them: memory must reach a plateau, and the jobs must stay. Loopback only; ends by itself.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { parseConfig } from '../src/config.ts';
import { createSidecar } from '../src/sidecar.ts';

const { values } = parseArgs({ options: { ids: { type: 'string', default: '1000000' } } });
const IDS = Number(values.ids);
const JOBS = 1_000;
const CACHE_MAX_BYTES = 16_777_216;
const AT_ONCE = 200;

const jobs = new Set(Array.from({ length: JOBS }, () => crypto.randomUUID()));
let asked = 0;
const upstream = createServer((request, response) => {
  asked++;
  const id = request.url!.slice(-36);
  if (!jobs.has(id as ReturnType<typeof crypto.randomUUID>)) response.writeHead(404).end();
  else response.end(JSON.stringify({ id, status: { complete: {} }, created_at: 'x', metadata: {} }));
});
await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));

const config = parseConfig(
  {
    CHROMA_API_KEY: 'ck-load-0123456789',
    UPSTREAM_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    CACHE_MAX_BYTES: String(CACHE_MAX_BYTES),
  },
  'node',
);
const sidecar = await createSidecar(config, { request() {}, event() {}, announce() {} });
const lookup = async (id: string) => sidecar.app.lookup(id, () => undefined);
for (const id of jobs) await lookup(id);
const askedForJobs = asked;

const rssMib: number[] = [];
for (let done = 0; done < IDS; done += AT_ONCE) {
  await Promise.all(Array.from({ length: AT_ONCE }, () => lookup(crypto.randomUUID())));
  if (done % (IDS / 10) === 0) {
    rssMib.push(
      Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024),
    );
  }
}
const before = asked;
for (const id of jobs) await lookup(id);
console.log(`${IDS} random ids: upstream was asked ${before - askedForJobs} times for them`);
console.log(
  `RSS in MiB after each tenth: ${rssMib.join(', ')} (CACHE_MAX_BYTES ${CACHE_MAX_BYTES / 1_048_576} MiB)`,
);
console.log(`of ${JOBS} known jobs, ${asked - before} had to be asked for again`);
await sidecar.close();
upstream.closeAllConnections();
upstream.close();
