/** The Worker as it would be deployed, in workerd by itself: bundle size, and from exec to the first answers. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { ask } from './exchange.ts';
import { JOB_PATH } from './job.ts';
import { createFolder, launch, ROOT, ready, stop } from './processes.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { tally } from './report.ts';
import { serveUpstream } from './servers.ts';
import { ratio, ratios, spread } from './stats.ts';

/** CommonJS whose types say otherwise. */
const WORKERD = (createRequire(import.meta.url)('workerd') as { default: string }).default;

const BARE_WORKER = `export class InvocationObject {}
export default { fetch: () => new Response('ok') };`;

export async function measureWorkerStart({ rounds, progress }: ThemeOptions): Promise<Outcome> {
  progress('start: bundling the Worker');
  const PATH = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter); // wrangler, by whoever is asked
  const options = { cwd: ROOT, encoding: 'utf8', env: { ...process.env, PATH } } as const;
  const size = execFileSync(process.execPath, ['scripts/bundle.ts'], options).trim();
  const workers = {
    'bare Worker': BARE_WORKER,
    gateway: readFileSync(join(ROOT, 'dist/worker/main.js'), 'utf8'),
  };
  const upstream = await serveUpstream();
  const folder = createFolder();
  const alive = tally();
  const answered = tally();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [name, code] of Object.entries(workers)) {
        progress(`start ${round + 1} of ${rounds}: ${name}`);
        const own = join(folder.path, `${round}-${name.replaceAll(' ', '-')}`);
        const times = await timeStart(own, code, upstream.url);
        alive.add(name, times.alive);
        answered.add(name, times.answered);
      }
    }
  } finally {
    await upstream.stop();
    folder.remove();
  }
  return {
    tables: [
      {
        title: 'Start of the Worker',
        notes: [
          `${size}.`,
          'workerd on core 0, from exec; the first lookup goes through its object to upstream.',
        ],
        columns: ['', 'first /healthz, ms', 'x bare', 'first lookup, ms', 'x bare'],
        rows: alive
          .names()
          .map((name) => [
            name,
            spread(alive.of(name)),
            spread(ratios(alive.of(name), alive.of('bare Worker')), ratio),
            spread(answered.of(name)),
            spread(ratios(answered.of(name), answered.of('bare Worker')), ratio),
          ]),
      },
    ],
    promises: [],
  };
}

/** ms from exec to the first answer of `/healthz`, and to that of a lookup after it. */
async function timeStart(folder: string, code: string, upstreamUrl: string) {
  const port = await freePort();
  mkdirSync(join(folder, 'objects'), { recursive: true });
  writeFileSync(join(folder, 'worker.js'), code);
  writeFileSync(join(folder, 'config.capnp'), configure(port, upstreamUrl));
  const from = performance.now();
  const child = launch(WORKERD, ['serve', 'config.capnp'], { core: 'server', cwd: folder });
  try {
    const url = `http://127.0.0.1:${port}`;
    await ready(child, () => ask(`${url}/healthz`), 1);
    const alive = performance.now() - from;
    const { status } = await ask(url + JOB_PATH);
    if (status !== 200) throw new Error(`the Worker answers ${status}`);
    return { alive, answered: performance.now() - from };
  } finally {
    await stop(child);
  }
}

function configure(port: number, upstreamUrl: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-10-23", compatibilityFlags = ["nodejs_compat"],
      bindings = [
        (name = "CHROMA_API_KEY", text = "ck-made-up"), (name = "UPSTREAM_URL", text = "${upstreamUrl}"),
        (name = "AUTH", text = "none"), (name = "LOG_LEVEL", text = "silent"),
        (name = "INVOCATIONS", durableObjectNamespace = "InvocationObject")
      ],
      durableObjectNamespaces = [(className = "InvocationObject", uniqueKey = "bench", enableSql = true)],
      durableObjectStorage = (localDisk = "objects"), globalOutbound = "net")),
    (name = "net", network = (allow = ["local", "private"])),
    (name = "objects", disk = (path = "objects", writable = true))
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);`;
}
