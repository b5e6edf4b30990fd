/** A real sidecar process that tells, when asked, what it holds: heap after a collection, sockets, timers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

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
  const child = spawn(process.execPath, ['--import', PROBE, 'src/node.ts'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { PATH: process.env.PATH, UPSTREAM_URL: upstreamUrl, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const complaints: string[] = [];
  const listening = Promise.withResolvers<string>();
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (COMPLAINT.test(line)) complaints.push(line);
      else if (line.includes('"listening"')) listening.resolve(/"url":"([^"]+)"/.exec(line)?.[1] ?? '');
    });
  }
  void exited.then(([status]) => listening.reject(new Error(`the sidecar ended with ${status}`)));
  return {
    url: await listening.promise,
    async sample() {
      child.send('sample');
      const [taken] = (await once(child, 'message')) as [Sample];
      return taken;
    },
    complaints: () => complaints,
    async stop() {
      child.kill('SIGTERM');
      const [status] = (await exited) as [number | null];
      return status;
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
