/** From exec to listening and to the first answer, and what each dependency costs. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { measureDependencies } from './dependencies.ts';
import { ask } from './exchange.ts';
import { JOB_BODY, JOB_PATH } from './job.ts';
import { createFolder, launchGateway, ROOT, stop } from './processes.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { tally } from './report.ts';
import { jobUrl, serveGateway, serveUpstream } from './servers.ts';
import { ratio, ratios, spread } from './stats.ts';
import { measureWorkerStart } from './worker-start.ts';

const MIN_STARTS = 10;

/** @param port where it will listen; returns how to start it */
type Start = (port: string) => ChildProcess;

export async function measureStart(options: ThemeOptions): Promise<Outcome> {
  const node = await measureNodeStart(options);
  const worker = await measureWorkerStart({ ...options, rounds: Math.max(MIN_STARTS, options.rounds) });
  const dependencies = await measureDependencies(options);
  return {
    tables: [...node.tables, ...worker.tables, ...dependencies.tables],
    promises: node.promises,
  };
}

async function measureNodeStart({ rounds, progress }: ThemeOptions): Promise<Outcome> {
  const starts = Math.max(MIN_STARTS, rounds);
  const folder = createFolder();
  const upstream = await serveUpstream();
  const env = { CHROMA_API_KEY: 'ck-made-up', UPSTREAM_URL: upstream.url, LOG_LEVEL: 'silent' };
  const warm = await serveGateway(upstream.url);
  const answer = await ask(jobUrl(warm));
  await warm.stop();

  const core = 'server';
  const bare = 'bare node:http';
  const packaged = 'gateway, from the package';
  const ways: Record<string, Start> = {
    [bare]: (PORT) =>
      launchGateway({
        core,
        entry: join(folder.path, 'bare.mjs'),
        env: { PORT, ANSWER: JSON.stringify(answer) },
      }),
    'gateway, from the source': (PORT) => launchGateway({ core, env: { ...env, PORT } }),
    'gateway, from the source, with a compile cache': (PORT) =>
      launchGateway({ core, env: { ...env, PORT, NODE_COMPILE_CACHE: join(folder.path, 'cache') } }),
    [packaged]: (PORT) =>
      launchGateway({ core, entry: join(folder.path, 'dist/cli.js'), env: { ...env, PORT } }),
  };
  const listening = tally();
  const answered = tally();
  try {
    await writePrograms(folder.path);
    for (let round = -1; round < starts; round++) {
      for (const [name, start] of Object.entries(ways)) {
        progress(`start ${round + 1} of ${starts}: ${name}`);
        const times = await timeStart(start);
        if (round < 0) continue; // fills disk and compile caches
        listening.add(name, times.listening);
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
        title: 'Start of the sidecar',
        notes: [
          `${starts} starts each, taking turns; the process on core 0, upstream on core 1. The first answer is a`,
          'lookup that asks upstream; bare, which is JavaScript as the package is, has it as a constant.',
        ],
        columns: ['', 'listening, ms', 'x bare', 'first answer, ms', 'x bare'],
        rows: listening
          .names()
          .map((name) => [
            name,
            spread(listening.of(name)),
            spread(ratios(listening.of(name), listening.of(bare)), ratio),
            spread(answered.of(name)),
            spread(ratios(answered.of(name), answered.of(bare)), ratio),
          ]),
      },
    ],
    promises: [
      {
        what: 'start of the package x bare',
        bound: 1.25,
        better: 'lower',
        values: ratios(listening.of(packaged), listening.of(bare)),
      },
    ],
  };
}

/** The package as it is published, and bare as JavaScript too: reading TypeScript costs a start a fifth. */
async function writePrograms(folder: string): Promise<void> {
  const { build } = await import('esbuild');
  const outfile = join(folder, 'bare.mjs');
  await build({
    entryPoints: [join(ROOT, 'bench/servers/bare.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
  execFileSync(process.execPath, ['scripts/build.ts', '--out', join(folder, 'dist')], {
    cwd: ROOT,
    stdio: 'ignore',
  });
}

/** ms from exec until it takes a connection, and until the first lookup is answered. */
async function timeStart(start: Start): Promise<{ listening: number; answered: number }> {
  const port = await freePort();
  const from = performance.now();
  const child = start(String(port));
  try {
    while (!(await isListening(port))) {
      if (child.exitCode !== null || performance.now() - from > 15_000) throw new Error('does not start');
    }
    const listening = performance.now() - from;
    const { body } = await ask(`http://127.0.0.1:${port}${JOB_PATH}`);
    if (body !== JOB_BODY) throw new Error(`another body at start: ${body}`);
    return { listening, answered: performance.now() - from };
  } finally {
    await stop(child);
  }
}

/** One try; a refused one takes half a millisecond longer, so that trying costs the server nothing. */
function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => setTimeout(() => resolve(false), 0.5));
  });
}
