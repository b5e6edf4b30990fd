/**
 * A stand-in Chroma Sync on plain node:http, for tests, the demo and benchmarks: real paths and shapes, jobs that
 * walk a schedule, any fault on demand, an honest count. Imports nothing from the gateway, listens on 127.0.0.1
 * only. It records request headers whole: give it a made-up token, never a real one.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer, chromaError, type Reply } from './chroma-api.ts';
import { CONTROL_PATH, control } from './control-api.ts';
import { createJobs } from './jobs.ts';
import { createLedger } from './ledger.ts';
import type { Simulator, SimulatorOptions } from './orders.ts';
import { outcomeOf } from './outcome.ts';
import { play, send } from './play.ts';
import { createScript, LISTS } from './script.ts';

export type { Simulator, SimulatorOptions } from './orders.ts';
export { LISTS } from './script.ts';

const LIST_PATH = '/api/v1/invocations';
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Builds a simulator that does not listen yet. */
export function createSimulator(options: SimulatorOptions = {}): Simulator {
  const { token = 'ck-simulated', now = Date.now, newId = randomUUID, keepRequests = 1_000 } = options;
  const jobs = createJobs(now, newId);
  const script = createScript();
  const ledger = createLedger(keepRequests);
  const server = createServer((request, response) => {
    onRequest(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  // Callers keep sockets open between tests; a server that closes idle ones would race with their next request.
  server.keepAliveTimeout = 0;

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: target = '/' } = request;
    const [path = '/', query] = target.split('?', 2);
    if (path.startsWith(CONTROL_PATH)) {
      return send(response, control(simulator, method, path, await readJson(request)));
    }
    const id = subjectOf(path);
    const { headers, rawHeaders } = request;
    response.on('close', ledger.arrive({ at: now(), method, path: target, headers, rawHeaders }, id));
    const body = method === 'GET' ? undefined : await readJson(request);
    const isAllowed = headers['x-chroma-token'] === token || path === '/health';

    // The answer is decided on arrival; latency and holds postpone only its sending. So a slow answer is an old
    // one, as it is with a real service.
    const step = isAllowed ? script.next(id, method === 'GET') : undefined;
    const honest = (): Reply => answer(jobs, { method, path, query: new URLSearchParams(query), body });
    const outcome = step ? outcomeOf(step, jobs, id, honest) : chromaError(401, 'unauthorized');

    const waitMs = script.latencyMs(id) + (step?.delayMs ?? 0);
    const held = script.held(id);
    if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
    if (held) await held;
    return 'type' in outcome ? play(response, outcome) : send(response, outcome);
  }

  let url = '';
  const simulator: Simulator = {
    token,
    get url() {
      return url;
    },
    invocationUrl: (id) => `${url}/api/v1/invocations/${id}`,
    listen: (port = 0) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', () => {
          const address = server.address();
          url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : port}`;
          resolve(url);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    addJob: (spec) => jobs.add(spec),
    script(id, steps) {
      script.script(id, steps);
      if (id !== LISTS && !jobs.read(id)) jobs.add({ id });
    },
    fault: (step, { times, ...of } = {}) => script.fault(step, of, times),
    latency: (ms, of = {}) => script.latency(ms, of),
    hold: (of = {}) => script.hold(of),
    release: (of = {}) => script.release(of),
    heal: () => script.heal(),
    counts: () => ledger.counts(),
    count: (id) => ledger.total(id),
    requests: () => ledger.requests(),
    listQueries: () => ledger.requests().flatMap(({ path }) => listQueryOf(path) ?? []),
    forgetRequests: () => ledger.forget(),
    arrived: (count, id) => ledger.arrived(count, id),
  };
  return simulator;
}

/** What orders and counts are kept by; undefined for everything that is neither a lookup nor a list. */
function subjectOf(path: string): string | undefined {
  if (path === LIST_PATH) return LISTS;
  return /^\/api\/v1\/invocations\/([^/]+)$/.exec(path)?.[1]?.toLowerCase();
}

function listQueryOf(target: string): string | undefined {
  const [path = '', ...query] = target.split('?');
  return path === LIST_PATH ? query.join('?') : undefined;
}

/** Undefined for an empty body, one that is not JSON or one past the bound: the route then says 400. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  try {
    return size <= MAX_BODY_BYTES ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
  } catch {
    return undefined;
  }
}
