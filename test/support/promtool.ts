/**
 * Debian's Prometheus: what its `promtool` says of rules and settings, and the server itself on a free port of 127.0.0.1.
 * Where there is none the suites that need it are skipped loudly; under CI that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { freePort } from './free-port.ts';
import { eventually } from './jobs.ts';
import { scratchFolder } from './scratch.ts';

const installed = ['promtool', 'prometheus'].every((tool) => spawnSync(tool, ['--version']).status === 0);
if (!installed) {
  const message = 'prometheus is not installed: its tests did not run (apt-get install prometheus)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where a Prometheus can be had. */
export const describeWithPromtool = describe.skipIf(!installed);

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

export interface Prometheus {
  readonly url: string;
  /** What a query gives now, a number for each series (NaN where there is nothing to divide by); throws on one that is none. */
  values(query: string): Promise<number[]>;
  stop(): Promise<void>;
}

/** @param config its `prometheus.yml` */
export async function startPrometheus(config: string): Promise<Prometheus> {
  const folder = scratchFolder('csg-prometheus');
  mkdirSync(join(folder, 'data'));
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${address}`,
  ];
  const child = spawn('prometheus', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  async function stop(): Promise<void> {
    child.kill('SIGKILL'); // its data is thrown away
    await exited;
    rmSync(folder, { recursive: true, force: true });
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
    async values(query) {
      const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
      const { status, data, error } = (await answer.json()) as {
        status: string;
        data?: { result: { value: [at: number, value: string] }[] };
        error?: string;
      };
      if (status !== 'success') throw new Error(`${query}: ${error}`);
      return data!.result.map(({ value }) => Number(value[1]));
    },
  };
}
