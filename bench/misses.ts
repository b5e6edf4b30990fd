/** What a miss costs beside the call that it makes, and how many there can be a second. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { requestText } from '../test/support/raw-socket.ts';
import { connectTo } from './connection.ts';
import { cpuMs } from './cpu.ts';
import { type Outcome, type ThemeOptions, tally } from './report.ts';
import { countOf, type Served, serve, serveGateway, serveUpstream } from './servers.ts';
import { number, quantile, ratio, ratios, spread } from './stats.ts';
import { needs } from './tools.ts';
import { wrk } from './wrk.ts';

const UPSTREAM_MS = 20;
/** Callers at once, each asking for its next id up to 20 ms after its last answer: in step they would come in bursts. */
const CALLERS = 16;
const SCRIPT = fileURLToPath(new URL('misses.lua', import.meta.url));

export async function measureMisses(options: ThemeOptions): Promise<Outcome> {
  const slow = await measureSlowUpstream(options);
  const quick = needs('wrk') ? await measureQuickUpstream(options) : { tables: [], promises: [] };
  return {
    tables: [...slow.tables, ...quick.tables],
    promises: [...slow.promises, ...quick.promises],
  };
}

async function measureSlowUpstream({ rounds, seconds, progress }: ThemeOptions): Promise<Outcome> {
  const upstream = await serveUpstream({ delayMs: UPSTREAM_MS });
  const gateway = await serveGateway(upstream.url);
  const ways = { 'direct call': upstream, 'through the gateway': gateway };
  const middle = tally();
  const slowest = tally();
  try {
    for (const served of Object.values(ways)) await askDistinct(served, 1);
    for (let round = 0; round < rounds; round++) {
      for (const [name, served] of Object.entries(ways)) {
        progress(`misses, round ${round + 1} of ${rounds}: ${name}, ${UPSTREAM_MS} ms`);
        const times = await askDistinct(served, seconds);
        middle.add(name, quantile(times, 0.5));
        slowest.add(name, quantile(times, 0.99));
      }
    }
  } finally {
    await Promise.all([gateway.stop(), upstream.stop()]);
  }
  const p50 = ratios(middle.of('through the gateway'), middle.of('direct call'));
  const p99 = ratios(slowest.of('through the gateway'), slowest.of('direct call'));
  return {
    tables: [
      {
        title: `Misses, upstream takes ${UPSTREAM_MS} ms`,
        notes: [
          `${CALLERS} callers on connections of their own, up to 20 ms apart, every id asked once,`,
          'the same client both ways.',
          'Gateway on core 0, upstream and client on core 1.',
        ],
        columns: ['way', 'p50, ms', 'p99, ms', 'p50 x direct', 'p99 x direct'],
        rows: [
          [
            'direct call',
            spread(middle.of('direct call')),
            spread(slowest.of('direct call')),
            '1.00',
            '1.00',
          ],
          [
            'through the gateway',
            spread(middle.of('through the gateway')),
            spread(slowest.of('through the gateway')),
            spread(p50, ratio),
            spread(p99, ratio),
          ],
        ],
      },
    ],
    promises: [
      { what: 'miss x direct call, p50', bound: 1.05, better: 'lower', values: p50 },
      { what: 'miss x direct call, p99', bound: 1.2, better: 'lower', values: p99 },
    ],
  };
}

/** Each request's time, ms. */
async function askDistinct({ url }: Served, seconds: number): Promise<number[]> {
  const connections = await Promise.all(Array.from({ length: CALLERS }, () => connectTo(url)));
  const times: number[] = [];
  const until = performance.now() + seconds * 1_000;
  const callers = connections.map(
    (connection) =>
      new Promise<void>((resolve, reject) => {
        const next = () => {
          const from = performance.now();
          if (from > until) return resolve();
          connection.send(requestText(`/api/v1/invocations/${newId()}`), (status) => {
            if (status !== 200) return reject(new Error(`a miss was answered ${status}`));
            times.push(performance.now() - from);
            setTimeout(next, Math.random() * UPSTREAM_MS);
          });
        };
        next();
      }),
  );
  try {
    await Promise.all(callers);
  } finally {
    for (const connection of connections) connection.close();
  }
  return times;
}

async function measureQuickUpstream({ rounds, seconds, progress }: ThemeOptions): Promise<Outcome> {
  const upstream = await serveUpstream();
  const ways = {
    gateway: await serveGateway(upstream.url),
    'hono/proxy': await serve('bench/servers/hono-proxy.ts', { env: { UPSTREAM_URL: upstream.url } }),
    'upstream itself': upstream,
  };
  const perSecond = tally();
  const cpu = tally();
  try {
    for (const served of Object.values(ways)) await flood(served, 1);
    for (let round = 0; round < rounds; round++) {
      for (const [name, served] of Object.entries(ways)) {
        progress(`misses, round ${round + 1} of ${rounds}: ${name}, at once`);
        const [asked, spent] = [await countOf(upstream), cpuMs(served.process.pid)];
        const result = await flood(served, seconds);
        perSecond.add(name, result.perSecond);
        cpu.add(name, ((cpuMs(served.process.pid) - spent) * 1_000) / result.requests);
        const calls = (await countOf(upstream)) - asked;
        if (calls < result.requests)
          throw new Error(`${name} answered ${result.requests} with ${calls} calls`);
      }
    }
  } finally {
    await Promise.all(Object.values(ways).map((served) => served.stop()));
  }
  const faster = ratios(perSecond.of('gateway'), perSecond.of('hono/proxy'));
  return {
    tables: [
      {
        title: 'Misses, upstream answers at once',
        notes: [
          'wrk -t1 -c32, every id asked once, every answer from upstream. Who passes on is on core 0; wrk and',
          'upstream share core 1.',
        ],
        columns: ['who passes on', 'requests/s', 'x hono/proxy', 'CPU, µs'],
        rows: perSecond
          .names()
          .map((name) => [
            name,
            spread(perSecond.of(name)),
            spread(ratios(perSecond.of(name), perSecond.of('hono/proxy')), ratio),
            spread(cpu.of(name), number),
          ]),
      },
    ],
    promises: [{ what: 'misses/s x hono/proxy', bound: 3, better: 'higher', values: faster }],
  };
}

function flood({ url }: Served, seconds: number) {
  return wrk({ url, seconds, script: [SCRIPT, randomBytes(4).toString('hex')] });
}

function newId(): string {
  const hex = randomBytes(16).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
