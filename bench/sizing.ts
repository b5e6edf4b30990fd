/** What one process needs for so many jobs, callers and watchers: memory, descriptors, processor time. A process per row. */
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSimulator } from '../simulator/simulator.ts';
import { dial, requestText } from '../test/support/raw-socket.ts';
import { connectTo } from './connection.ts';
import { cpuMs, rssBytes } from './cpu.ts';
import { JOB_PATH } from './job.ts';
import { type Outcome, type ThemeOptions, tally } from './report.ts';
import { type Served, serveGateway, serveUpstream } from './servers.ts';
import { number, spread } from './stats.ts';

const FILES = 25_000;
const MIB = 1_048_576;
/** Garbage of the opening is gone, and what is due every few seconds has had its turn. */
const REST_MS = 5_000;
const IDLE_S = 10;
const AT_ONCE = 32;

interface Case {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Brings the process into that state; what it returns ends it. */
  fill(gateway: Served, pending: () => string): Promise<() => void>;
}

const CASES: readonly Case[] = [
  { name: 'just started', fill: async () => () => {} },
  { name: '16 MiB of jobs', env: { CACHE_MAX_BYTES: String(16 * MIB) }, fill: (to) => askFor(to, 40_000) },
  { name: '64 MiB of jobs (default)', fill: (to) => askFor(to, 120_000) },
  { name: '1,000 connections at rest', fill: (to) => connect(to, 1_000) },
  { name: '10,000 connections at rest', fill: (to) => connect(to, 10_000) },
  { name: '1,000 streams, one job each', fill: (to, pending) => watch(to, 1_000, pending) },
  { name: '5,000 streams on ten jobs', fill: (to, pending) => watch(to, 5_000, among(10, pending)) },
];

export async function measureSizing({ rounds, progress }: ThemeOptions): Promise<Outcome> {
  const memory = tally();
  const descriptors = tally();
  const cpu = tally();
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    for (const one of CASES) {
      progress(`sizing, round ${round + 1}: ${one.name}`);
      const found = await measure(one);
      memory.add(one.name, found.rss / MIB);
      descriptors.add(one.name, found.descriptors);
      cpu.add(one.name, found.cpuPercent);
    }
  }
  return {
    tables: [
      {
        title: 'What one process needs',
        notes: [
          'The sidecar from its source, one process per row; jobs of some 380 bytes. Resident memory and open descriptors after',
          `${REST_MS / 1_000} s of rest, processor time over ${IDLE_S} s in which nobody asks anything and no watched job changes.`,
        ],
        columns: ['state', 'RSS, MiB', 'descriptors', 'CPU at rest, % of a core'],
        rows: memory
          .names()
          .map((name) => [
            name,
            spread(memory.of(name), (value) => number(Math.round(value))),
            spread(descriptors.of(name)),
            spread(cpu.of(name)),
          ]),
      },
    ],
    promises: [],
  };
}

async function measure({ env, fill }: Case) {
  const lean = await serveUpstream();
  const simulator = createSimulator({ token: 'ck-made-up' });
  await simulator.listen();
  const isWatching = fill.length === 2;
  const gateway = await serveGateway(isWatching ? simulator.url : lean.url, { files: FILES, env });
  try {
    const end = await fill(gateway, () => simulator.addJob({ state: 'processing' }));
    await sleep(REST_MS);
    const { pid } = gateway.process;
    const before = cpuMs(pid);
    await sleep(1_000 * IDLE_S);
    const found = {
      cpuPercent: (cpuMs(pid) - before) / (10 * IDLE_S),
      rss: rssBytes(pid),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    };
    end();
    return found;
  } finally {
    await gateway.stop();
    await simulator.close();
    await lean.stop();
  }
}

/** So many different jobs, each once. */
async function askFor({ url }: Served, count: number): Promise<() => void> {
  let left = count;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const connection = await connectTo(url);
      while (left-- > 0) {
        const path = `/api/v1/invocations/${randomUUID()}`;
        await new Promise<void>((resolve) => connection.send(requestText(path), () => resolve()));
      }
      connection.close();
    }),
  );
  return () => {};
}

/** Kept alive, after one question each: silent ones are cut. */
function connect(to: Served, count: number): Promise<() => void> {
  return hold(to, count, () => JOB_PATH);
}

function watch(to: Served, count: number, pending: () => string): Promise<() => void> {
  return hold(to, count, () => `/api/v1/invocations/events?id=${pending()}`);
}

async function hold({ url }: Served, count: number, path: () => string): Promise<() => void> {
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n++) {
    const socket = await dial(url);
    socket.resume();
    socket.write(requestText(path()));
    sockets.push(socket);
  }
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

/** In turn. */
function among(count: number, pending: () => string): () => string {
  const ids: string[] = [];
  let next = 0;
  return () => {
    const index = next++ % count;
    ids[index] ??= pending();
    return ids[index];
  };
}
