/** How much memory a hit allocates, by V8's own account of each collection (`--trace-gc-nvp`). */
import { ask } from './exchange.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { tally } from './report.ts';
import { jobUrl, type Served, serve, serveBare, serveGateway, serveUpstream } from './servers.ts';
import { number, ratio, ratios, spread } from './stats.ts';
import { needs, needsPeers } from './tools.ts';
import { wrk } from './wrk.ts';

interface Watched {
  readonly served: Served;
  /** Bytes allocated up to the last collection, and ms spent collecting. */
  readonly collected: () => { readonly bytes: number; readonly pauseMs: number };
}

export async function measureGarbage({ rounds, seconds, progress }: ThemeOptions): Promise<Outcome> {
  if (!needs('wrk')) return { tables: [], promises: [] };
  const upstream = await serveUpstream();
  const options = { nodeArgs: ['--trace-gc-nvp'], stdout: 'pipe' } as const;
  const gateway = await serveGateway(upstream.url, options);
  await ask(jobUrl(gateway));
  const hit = await ask(jobUrl(gateway));
  const all: Record<string, Watched> = {
    'gateway, silent': watch(gateway),
    'bare node:http': watch(await serveBare(hit, options)),
  };
  const env = { UPSTREAM_URL: upstream.url };
  if (needsPeers()) {
    const fastify = await serve('bench/servers/fastify.ts', { env, ...options });
    all['Fastify, hand-made cache'] = watch(fastify);
  }
  const hono = await serve('bench/servers/hono-middlewares.ts', { env, ...options });
  all['Hono, five middlewares'] = watch(hono);

  const bytes = tally();
  const pauses = tally();
  try {
    for (const { served } of Object.values(all)) await wrk({ url: jobUrl(served), seconds: 1 });
    for (let round = 0; round < rounds; round++) {
      for (const [name, { served, collected }] of Object.entries(all)) {
        progress(`garbage, round ${round + 1} of ${rounds}: ${name}`);
        const before = collected();
        const { requests } = await wrk({ url: jobUrl(served), seconds });
        const after = collected();
        bytes.add(name, (after.bytes - before.bytes) / requests);
        pauses.add(name, (after.pauseMs - before.pauseMs) / seconds / 10);
      }
    }
  } finally {
    await Promise.all([upstream, ...Object.values(all).map(({ served }) => served)].map((one) => one.stop()));
  }
  return {
    tables: [
      {
        title: 'Garbage of a hit',
        notes: [
          'Bytes allocated on V8’s heap per request, and the share of time that collections stop the server.',
        ],
        columns: ['who answers', 'bytes', 'x bare', 'collecting, %'],
        rows: bytes
          .names()
          .map((name) => [
            name,
            spread(bytes.of(name)),
            spread(ratios(bytes.of(name), bytes.of('bare node:http')), ratio),
            spread(pauses.of(name), number),
          ]),
      },
    ],
    promises: [],
  };
}

function watch(served: Served): Watched {
  let bytes = 0;
  let pauseMs = 0;
  let rest = '';
  served.process.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      bytes += Number(/ allocated=(\d+)/.exec(line)?.[1] ?? 0);
      pauseMs += Number(/ pause=([\d.]+)/.exec(line)?.[1] ?? 0);
    }
  });
  return { served, collected: () => ({ bytes, pauseMs }) };
}
