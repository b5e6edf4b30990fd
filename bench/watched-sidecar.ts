/** A real sidecar process that tells, when asked, what it holds: heap after a collection, sockets, timers. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startGatewayProcess } from '../simulator/gateway-process.ts';

export interface Sample {
  /** After a full collection. */
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Everything that keeps the event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

export interface WatchedSidecar {
  readonly url: string;
  sample(): Promise<Sample>;
  /** Lines that nobody may see: unhandled rejections, warnings of the runtime. */
  complaints(): readonly string[];
  /** SIGTERM; resolves to the exit status. */
  stop(): Promise<number | null>;
}

/** Runs inside the sidecar, before its own code, and keeps nothing of it alive. */
const PROBE = `data:text/javascript,${encodeURIComponent(`
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  process.on('message', () => {
    gc();
    const { heapUsed, rss } = process.memoryUsage();
    const resources = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    process.send({ heapBytes: heapUsed, rssBytes: rss, resources });
  });
  process.channel.unref();
`)}`;

const COMPLAINT = /unhandled|uncaught|MaxListeners|\(node:\d+\)|internal error/i;

/** @param env beside `PORT` and `UPSTREAM_URL` */
export async function startWatchedSidecar(
  upstreamUrl: string,
  env: Readonly<Record<string, string>>,
): Promise<WatchedSidecar> {
  const complaints: string[] = [];
  const {
    process: child,
    listening,
    exited,
  } = startGatewayProcess({
    env: { UPSTREAM_URL: upstreamUrl, PORT: '0', ...env },
    nodeArgs: ['--import', PROBE],
    ipc: true,
  });
  process.once('exit', () => child.kill('SIGKILL'));
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (COMPLAINT.test(line)) complaints.push(line);
    });
  }
  const ended = exited.then((status) => {
    throw new Error(`the sidecar ended with ${status}`);
  });
  return {
    url: await Promise.race([listening, ended]),
    async sample() {
      child.send('sample');
      const [taken] = (await once(child, 'message')) as [Sample];
      return taken;
    },
    complaints: () => complaints,
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** All kinds together, or those whose name matches. */
export function held({ resources }: Sample, kinds = /./): number {
  return Object.entries(resources).reduce((sum, [kind, n]) => sum + (kinds.test(kind) ? n : 0), 0);
}

export function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** The value below which that share of them lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
