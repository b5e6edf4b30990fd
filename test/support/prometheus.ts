/**
 * Debian's Prometheus on a free port of 127.0.0.1, and what its `promtool` says of rules, settings and pages of metrics. Where
 * there is none the suites that need it are skipped loudly; under CI that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { freePort } from './free-port.ts';
import { eventually } from './jobs.ts';
import { scratchFolder } from './scratch.ts';

const installed = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0);
if (!installed) {
  const message = 'prometheus is not installed: the tests with it did not run (apt-get install prometheus)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where a Prometheus and its promtool can be had. */
export const describeWithPrometheus = describe.skipIf(!installed);

export interface Verdict {
  /** It has nothing to object to. */
  readonly isFine: boolean;
  /** All that it printed. */
  readonly printed: string;
}

/** @param args such as `check`, `rules`, a path */
export function promtool(...args: readonly string[]): Verdict {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { isFine: status === 0, printed: stdout + stderr };
}

/** What promtool says of a page in the text format; an empty text: nothing. */
export function lintOf(page: string): string {
  const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  return stdout + stderr;
}

/** One series that a query gave. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** The newest value, as text. */
  readonly value: readonly [at: number, text: string];
}

export interface Prometheus {
  readonly url: string;
  /** An instant query; throws on one that is none. */
  query(expression: string): Promise<readonly Series[]>;
  /** A number for each series; NaN where there is nothing to divide by. */
  values(expression: string): Promise<number[]>;
  /** Whether the first target could be scraped, and what was wrong with it if not. */
  target(): Promise<{ readonly health: string; readonly lastError: string }>;
  stop(): Promise<void>;
}

/** Resolves when it is ready. @param config its `prometheus.yml` */
export async function startPrometheus(config: string): Promise<Prometheus> {
  const folder = scratchFolder('csg-prometheus');
  mkdirSync(join(folder, 'data'));
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=error',
  ];
  const child = spawn('prometheus', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  async function stop(): Promise<void> {
    child.kill('SIGKILL'); // its data is thrown away
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }
  async function api<Data>(path: string): Promise<Data> {
    const response = await fetch(`${url}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: Data; error?: string };
    if (status !== 'success') throw new Error(`${path}: ${error ?? status}`);
    return data;
  }
  async function query(expression: string): Promise<readonly Series[]> {
    const found = await api<{ result: readonly Series[] }>(`query?query=${encodeURIComponent(expression)}`);
    return found.result;
  }
  const isReady = () =>
    fetch(`${url}/-/ready`)
      .then(({ ok }) => ok)
      .catch(() => false);
  if (!(await eventually(isReady, 20_000))) {
    await stop();
    throw new Error('prometheus does not become ready');
  }
  return {
    url,
    stop,
    query,
    values: async (expression) => (await query(expression)).map(({ value }) => Number(value[1])),
    async target() {
      const { activeTargets } = await api<{ activeTargets: { health: string; lastError: string }[] }>(
        'targets',
      );
      const { health, lastError } = activeTargets[0]!;
      return { health, lastError };
    },
  };
}

/** Scrapes this URL's `/metrics` every second; resolves when it has done so once, some 5 s after its start. */
export async function startScraping(metricsUrl: string): Promise<Prometheus> {
  const prometheus = await startPrometheus(`global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: gateway
    static_configs: [{ targets: ['${new URL(metricsUrl).host}'] }]
`);
  const hasScraped = async () => (await prometheus.query('up{job="gateway"}')).length > 0;
  if (await eventually(hasScraped, 30_000)) return prometheus;
  await prometheus.stop();
  throw new Error('Prometheus does not scrape');
}
