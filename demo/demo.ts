/**
 * `npm run demo`: a simulated Chroma Sync and the gateway in front of it, for a first look without an account.
 * Starts the gateway as an operator would and talks to it by nothing but its environment and its port.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGatewayProcess } from '../simulator/gateway-process.ts';
import { createSimulator, type Simulator } from '../simulator/simulator.ts';

const COMPLETES = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const FAILS = '5f1a7c52-9b1e-4b6c-8d0f-2a64c9e07b13';
const IS_CANCELLED = 'a8d3e6b0-47c9-4f21-9a35-6b0c1d9e8f74';
const CANCEL_AFTER_MS = 10_000;
const START_DEADLINE_MS = 30_000;
const KEPT_STDERR_CHARS = 16_384;

export interface DemoOptions {
  /** The file that starts the gateway. */
  readonly entry: string;
}

/** Resolves when there is something to see, or when it has failed and the exit status says so. */
export async function startDemo({ entry }: DemoOptions): Promise<Demo> {
  const simulator = createSimulator({ token: 'ck-made-up-for-the-demo' });
  await simulator.listen();
  const wantedPort = Number(process.env.PORT ?? 8787);
  const port = (await isFree(wantedPort)) ? wantedPort : 0;
  let lastWords = '';
  let isStopping = false;
  const gateway = startGatewayProcess(
    {
      entry,
      env: { CHROMA_API_KEY: simulator.token, UPSTREAM_URL: simulator.url, PORT: String(port) },
      // Ctrl-C reaches a terminal's whole group, and to the gateway our SIGTERM would then be the second signal, which
      // ends it at once instead of gracefully.
      detached: true,
    },
    (text, from) => {
      if (from === 'stderr') lastWords = (lastWords + text).slice(-KEPT_STDERR_CHARS);
    },
  );
  /** It is gone, and all that it wrote is read. */
  const closed = once(gateway.process, 'close').then(
    () => 'closed' as const,
    () => 'closed' as const,
  );
  process.on('exit', () => void gateway.process.kill('SIGKILL'));
  void closed.then(() => end());

  const late = sleep(START_DEADLINE_MS, 'late' as const, { ref: false });
  const start = await Promise.race([gateway.listening.then((url) => ({ url })), closed, late]);
  if (start === 'late') {
    isStopping = true;
    fail(`The gateway did not say that it listens within ${START_DEADLINE_MS / 1_000} s.`);
    await gateway.stop();
  } else if (start !== 'closed' && !isStopping) {
    addJobs(simulator);
    if (port !== wantedPort) console.log(`Port ${wantedPort} is not free; using another.\n`);
    console.log(welcome(start.url, simulator.url));
  }

  function fail(what: string): void {
    console.error(`${what}\n\n${lastWords}`);
    process.exitCode = 1;
  }

  /** The gateway is gone. */
  async function end(): Promise<void> {
    const { signalCode, exitCode } = gateway.process;
    if (!isStopping)
      fail(`The gateway ended by itself (${signalCode ?? `exit status ${exitCode}`}). Its last words:`);
    await simulator.close();
  }

  return {
    stop() {
      if (isStopping) return;
      isStopping = true;
      console.log('\nStopping.');
      void gateway.stop();
    },
  };
}

/** What runs. */
export interface Demo {
  /** Ends both programs. */
  stop(): void;
}

function addJobs(chroma: Simulator): void {
  chroma.addJob({ id: COMPLETES, kind: 'github', schedule: { finishAfterMs: 20_000 } });
  chroma.addJob({
    id: FAILS,
    kind: 's3',
    schedule: { finishAfterMs: 15_000, outcome: 'failed', error: 'the object could not be read' },
  });
  chroma.addJob({ id: IS_CANCELLED, kind: 'web_scrape', schedule: { processingAfterMs: 60_000 } });
  const cancel = () =>
    fetch(chroma.invocationUrl(IS_CANCELLED), {
      method: 'PUT',
      headers: { 'x-chroma-token': chroma.token },
    });
  // A simulator that closed in between refuses the request, and nobody is left to care.
  setTimeout(() => void cancel().catch(() => {}), CANCEL_AFTER_MS).unref();
}

function welcome(url: string, upstream: string): string {
  return `chroma-sync-gateway   ${url}
simulated Chroma Sync ${upstream}   (made-up jobs; no account is needed)

Three jobs were just created:
  ${COMPLETES}   github       complete in 20 s
  ${FAILS}   s3           failed in 15 s
  ${IS_CANCELLED}   web_scrape   cancelled in 10 s

Ask the gateway for one, in another terminal:

  curl -i ${url}/api/v1/invocations/${COMPLETES}

Or create a new job, watch it until it is complete, and see how often upstream was asked: once every two seconds,
however many watch.

  id=$(curl -s -X POST ${upstream}/_simulator/jobs | grep -oE '[0-9a-f-]{36}')
  curl -N "${url}/api/v1/invocations/events?id=$id"
  curl -s ${upstream}/_simulator/count/$id

Ctrl-C stops both.`;
}

function isFree(candidate: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(false))
      .listen(candidate, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
