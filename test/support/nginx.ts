/**
 * nginx as most people have it in front: Debian's package, `proxy_pass` and no other setting for it, on free ports of
 * 127.0.0.1. Where there is none the suites that need it are skipped loudly; under CI that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { describe } from 'vitest';
import { freePort } from './free-port.ts';
import { eventually } from './jobs.ts';
import { writeNginxConfig } from './nginx-config.ts';
import { scratchFolder } from './scratch.ts';

const installed = spawnSync('nginx', ['-v']).status === 0;
if (!installed) {
  const message = 'nginx is not installed: the tests behind it did not run (apt-get install nginx-light)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where an nginx can be had. */
export const describeWithNginx = describe.skipIf(!installed);

export interface Nginx {
  /** What leads to it through one nginx with these lines in its `location`. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * @param origin where the innermost one leads to
 * @param locations one server per element, each in front of the one before: lines of its `location`
 */
export async function startNginx(origin: string, locations: readonly string[]): Promise<Nginx> {
  const folder = scratchFolder('csg-nginx');
  let url = origin;
  const servers: string[] = [];
  for (const lines of locations) {
    const port = await freePort();
    servers.push(`server { listen 127.0.0.1:${port}; location / { proxy_pass ${url}; ${lines} } }`);
    url = `http://127.0.0.1:${port}`;
  }
  const args = writeNginxConfig(folder, `access_log off;\n  ${servers.join('\n  ')}`);
  const child = spawn('nginx', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const answers = () =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  if (!(await eventually(answers, 10_000))) throw new Error('nginx does not answer');
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
