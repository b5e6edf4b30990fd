/**
 * Debian's Prometheus, scraping a second listener, on a free port of 127.0.0.1, and its promtool. Where there is none the
 * suites that need it are skipped loudly; under CI that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
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

/** One series that a query gave. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** The newest value, as text. */
  readonly value: readonly [at: number, text: string];
}

export interface Prometheus {
  readonly url: string;
  /** An instant query. */
  query(expression: string): Promise<readonly Series[]>;
  /** Whether the target could be scraped, and what was wrong with it if not. */
  target(): Promise<{ readonly health: string; readonly lastError: string }>;
  stop(): Promise<void>;
}

/**
 * Scrapes this URL's `/metrics` every second; resolves when it has done so once, some 5 s after its start.
 * @param job what its series are labelled with
 */
export async function startPrometheus(metricsUrl: string, job = 'gateway'): Promise<Prometheus> {
  const folder = scratchFolder('csg-prometheus');
  const url = `http://127.0.0.1:${await freePort()}`;
  const config = join(folder, 'prometheus.yml');
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: ${job}
    static_configs: [{ targets: ['${new URL(metricsUrl).host}'] }]
`,
  );
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--log.level=error',
  ];
  const child = spawn('prometheus', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');

  async function api<Data>(path: string): Promise<Data> {
    const response = await fetch(`${url}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: Data; error?: string };
    if (status !== 'success') throw new Error(error ?? status);
    return data;
  }
  async function query(expression: string): Promise<readonly Series[]> {
    const found = await api<{ result: readonly Series[] }>(`query?query=${encodeURIComponent(expression)}`);
    return found.result;
  }
  async function stop(): Promise<void> {
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }

  const prometheus: Prometheus = {
    url,
    query,
    async target() {
      const { activeTargets } = await api<{ activeTargets: { health: string; lastError: string }[] }>(
        'targets',
      );
      const { health, lastError } = activeTargets[0]!;
      return { health, lastError };
    },
    stop,
  };
  const hasScraped = async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const series = await query(`up{job="${job}"}`).catch(() => []);
    return series.length > 0;
  };
  if (await eventually(hasScraped, 30_000)) return prometheus;
  await stop();
  throw new Error('Prometheus does not scrape');
}

/** What promtool says of a page in the text format; an empty text: nothing. */
export function lintOf(page: string): string {
  const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  return stdout + stderr;
}
