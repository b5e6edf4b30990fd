/** Who holds streams side by side: the gateway, bare `node:http` that writes the same bytes, and nchan. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '../test/support/free-port.ts';
import { requestText } from '../test/support/raw-socket.ts';
import { ask } from './exchange.ts';
import { JOB_BODY, JOB_ID } from './job.ts';
import { configureNchan } from './nchan.ts';
import { createFolder, launch, ready, stop } from './processes.ts';
import { type Served, serve, serveGateway } from './servers.ts';
import { STALL_PROBE } from './stalls.ts';
import { find } from './tools.ts';
import { sharedNow } from './watchers.ts';

export interface Holder extends Served {
  /** What a caller sends to open a stream. */
  readonly request: string;
  /** Makes one event for everybody; resolves to when the new answer was on its way to it ({@link sharedNow}). */
  change(): Promise<number>;
}

const STREAM = requestText(`/api/v1/invocations/events?id=${JOB_ID}`);
const probed = { nodeArgs: ['--import', STALL_PROBE], ipc: true } as const;
/** The gateway asks at most so often, ms: the shortest pace that there is. */
const TTL_MS = 250;

/** A young job that is under way, as old ones are asked about more seldom: each time another body of the same length. */
function createChangingJob() {
  const young = { status: 'processing', created_at: new Date().toISOString() };
  const running = JSON.stringify({ ...(JSON.parse(JOB_BODY) as object), ...young });
  let version = 100_000;
  return {
    body: () => running.replace('production', `prod${version}`),
    change: () => {
      version += 1;
    },
  };
}

const eventText = (body: string) => `event: invocation\ndata: ${body}\n\n`;

/** The job's upstream, in this process. */
export async function serveChangingJob() {
  const job = createChangingJob();
  let calls = 0;
  let sent: ((at: number) => void) | undefined;
  const server = createServer((_request, response) => {
    calls += 1;
    const body = job.body();
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
    sent?.(sharedNow());
    sent = undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    /** Resolves when the changed job was sent to somebody who asked. */
    change: () =>
      new Promise<number>((resolve) => {
        job.change();
        sent = resolve;
      }),
    close: () => server.close().closeAllConnections(),
  };
}

/** @param files how many sockets it may have */
export async function holdWithGateway(files: number): Promise<Holder> {
  const upstream = await serveChangingJob();
  const env = { CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS), WATCH_MAX: '20000' };
  const served = await serveGateway(upstream.url, { env, files, ...probed });
  return {
    ...served,
    request: STREAM,
    change: upstream.change,
    async stop() {
      await served.stop();
      upstream.close();
    },
  };
}

/** @param head of the gateway's answer, so that both send the same */
export async function holdWithBare(files: number, head: string): Promise<Holder> {
  const ownHeaders = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(': ') as [string, string]);
  const sent = ownHeaders.filter(
    ([name]) => !/^(?:date|connection|transfer-encoding|keep-alive)$/i.test(name),
  );
  const env = { HEADERS: JSON.stringify(Object.fromEntries(sent)) };
  return postedTo(await serve('bench/servers/bare-streams.ts', { env, files, ...probed }), eventText);
}

/** It writes `event:` only when told to, and `id:` always. */
export async function holdWithNchan(files: number): Promise<Holder> {
  const folder = createFolder();
  const port = await freePort();
  const child = launch(find('nginx')!, configureNchan(folder.path, port), { core: 'server', files });
  const url = `http://127.0.0.1:${port}`;
  await ready(child, () => ask(`${url}/healthz`));
  const end = async () => {
    await stop(child);
    folder.remove();
  };
  return postedTo({ url, port, process: child, stop: end }, (body) => body, '/post');
}

/** @param text what is posted for a job's body */
async function postedTo(served: Served, text: (body: string) => string, path = '/'): Promise<Holder> {
  const job = createChangingJob();
  async function change(): Promise<number> {
    job.change();
    const at = sharedNow();
    const headers = { 'content-type': 'text/plain', 'x-eventsource-event': 'invocation' };
    const answer = await fetch(served.url + path, { method: 'POST', body: text(job.body()), headers });
    if (!answer.ok) throw new Error(`${served.url}${path} answers ${answer.status}`);
    return at;
  }
  await change().catch(async (error: unknown) => {
    await served.stop();
    throw error;
  });
  return { ...served, request: requestText('/', { Accept: 'text/event-stream' }), change };
}
