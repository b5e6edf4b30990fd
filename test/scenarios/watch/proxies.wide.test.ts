/** What stands between the gateway and its callers: real proxies, a host's compression, a terminal's client. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { compress } from 'hono/compress';
import { proxy } from 'hono/proxy';
import { describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { describeWithNginx, startNginx } from '../../support/nginx.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { openStream, type Stream } from '../../support/stream.ts';

/** Contract §10 has a comment every 8 s, and the rows say: within half a second. */
const COMMENT_MS = 8_000;
const PASSES_MS = 500;
const TTL_MS = 300;
const GZIP = 'gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any;';

/** nginx keeps to itself what it is told; the next one needs it as well. */
const HANDS_ON = 'proxy_pass_header X-Accel-Buffering; ';

const CHAINS: readonly (readonly [how: string, locations: readonly string[]])[] = [
  ['with default proxy settings', ['']],
  ['with gzip for everything', [GZIP]],
  ['two in a row, of which the inner hands the header on, with gzip', [HANDS_ON + GZIP, GZIP]],
  ['two in a row, of which the outer does not buffer', ['', 'proxy_buffering off;']],
];
const ACCEPTS = { 'accept-encoding': 'gzip, deflate' };

const hasCurl = spawnSync('curl', ['--version']).status === 0;
if (!hasCurl) {
  const message = 'curl is not installed: its test did not run (apt-get install curl)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}
const itWithCurl = it.skipIf(!hasCurl);

/** Not even the head of an answer. */
function nothingCame(): never {
  throw new Error('nothing came');
}

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS) });

  /** A job changes until it has ended, each time as soon as it was seen: how late its events come through `url`, ms. */
  async function latenessThrough(url: string): Promise<{ lateMs: readonly number[]; far: Stream }> {
    const id = simulator.addJob({ state: 'pending' });
    const [near, far] = await Promise.all([
      openStream(gateway.url, [id], ACCEPTS),
      Promise.race([openStream(url, [id], ACCEPTS), sleep(5_000).then(nothingCame)]),
    ]);
    expect([far.status, far.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const lateMs: number[] = [];
    for (const state of ['pending', 'processing', 'complete'] as const) {
      simulator.script(id, [{ type: 'state', state }]);
      const seenAt = (stream: Stream) =>
        stream.until(({ data }) => data.includes(state)).then(() => performance.now());
      const [nearAt, farAt] = await Promise.all([seenAt(near), seenAt(far)]);
      lateMs.push(farAt - nearAt);
    }
    await far.until(({ event }) => event === 'end');
    expect(far.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'invocation', 'end']);
    return { lateMs, far };
  }

  describeWithNginx('behind nginx', () => {
    it.each(CHAINS)('#169 #175 %s: each event passes within 500 ms', async (_how, locations) => {
      const nginx = await startNginx(gateway.url, locations);
      try {
        const { lateMs, far } = await latenessThrough(nginx.url);
        expect(Math.max(...lateMs)).toBeLessThan(PASSES_MS);
        // It minds no `no-transform`, and flushes what it has compressed after each event.
        const coding = locations.at(-1)!.includes('gzip on') ? 'gzip' : null;
        expect(far.headers.get('content-encoding')).toBe(coding);
      } finally {
        await nginx.stop();
      }
    });

    it('#169 #175 comment lines pass each of them', async () => {
      const id = simulator.addJob({ state: 'pending' });
      const chains = await Promise.all(CHAINS.map(([, locations]) => startNginx(gateway.url, locations)));
      try {
        const streams = await Promise.race([
          Promise.all(chains.map(({ url }) => openStream(url, [id], ACCEPTS))),
          sleep(5_000).then(nothingCame),
        ]);
        const fewest = () => Math.min(...streams.map((stream) => stream.comments()));
        expect(await eventually(fewest, COMMENT_MS + 4_000)).toBe(1);
        for (const stream of streams) stream.leave();
      } finally {
        await Promise.all(chains.map((chain) => chain.stop()));
      }
    });

    it('#175 two in a row with default settings: the outer one buffers, as the inner keeps the header to itself', async () => {
      const nginx = await startNginx(gateway.url, ['', '']);
      try {
        const id = simulator.addJob({ state: 'pending' });
        const caller = new AbortController();
        const begun = fetch(`${nginx.url}/api/v1/invocations/events?id=${id}`, { signal: caller.signal });
        const outcome = await Promise.race([begun.then(() => 'begun'), sleep(2 * PASSES_MS, 'nothing')]);
        caller.abort();
        await begun.catch(() => {});
        expect(outcome).toBe('nothing');
      } finally {
        await nginx.stop();
      }
    });
  });

  it('#175 a host with Hono’s compress: it leaves the stream alone, each event passes within 500 ms', async () => {
    const host = new Hono();
    host.use(compress({ threshold: 0, contentTypeFilter: /./ })); // by itself it would spare a stream
    host.get('*', ({ req }) => proxy(gateway.url + new URL(req.url).pathname + new URL(req.url).search));
    const server = serve({ fetch: host.fetch, port: 0, hostname: '127.0.0.1' });
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const known = await ask(url, simulator.addJob({ state: 'pending' }), { headers: ACCEPTS });
      expect(known.headers.get('content-encoding')).toBe('gzip');
      const { lateMs, far } = await latenessThrough(url);
      expect(far.headers.get('content-encoding')).toBeNull();
      expect(Math.max(...lateMs)).toBeLessThan(PASSES_MS);
    } finally {
      (server as Server).closeAllConnections();
      server.close();
    }
  });

  itWithCurl('curl -N prints each event as it comes', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const curl = spawn('curl', ['-sSN', `${gateway.url}/api/v1/invocations/events?id=${id}`]);
    const exited = once(curl, 'exit');
    let printed = '';
    for (const output of [curl.stdout, curl.stderr]) {
      output.on('data', (text: Buffer) => {
        printed += text.toString();
      });
    }
    for (const state of ['pending', 'processing', 'complete'] as const) {
      simulator.script(id, [{ type: 'state', state }]);
      expect(
        await eventually(
          () => printed,
          2_000,
          (text) => text.includes(state),
        ),
      ).toContain(state);
    }
    expect(await exited).toEqual([0, null]);
    expect(printed).toMatch(/^retry: \d{4}\n\nevent: invocation\ndata: \{/);
    expect(printed).toMatch(/\n\nevent: end\nid: end\ndata: \{"reason":"settled"\}\n\n$/);
  });
});
