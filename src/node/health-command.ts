/**
 * `chroma-sync-gateway health`: asks the sidecar of this machine whether it is alive, for images without a shell. Never
 * through a proxy, whatever the environment says of one.
 */
import { Agent, get } from 'node:http';
import { bareHost } from '../config/bare-host.ts';
import { VARIABLES } from '../config/variables.ts';

const TIMEOUT_MS = 5_000;

/** @returns the exit status: 0 for a 200, else 1 */
export function askHealth(env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const host = env.HOST?.trim() || VARIABLES.HOST.default;
  const port = env.PORT?.trim() || VARIABLES.PORT.default;
  const { promise, resolve } = Promise.withResolvers<number>();
  try {
    // An agent of its own: Node's may be told to use a proxy.
    const options = { host: reachable(host), port, path: '/healthz', agent: new Agent() };
    const request = get({ ...options, headers: { Host: 'localhost' } });
    const late = setTimeout(() => request.destroy(), TIMEOUT_MS);
    request.on('response', ({ statusCode }) => {
      resolve(statusCode === 200 ? 0 : 1);
      request.destroy(); // whatever else it has to say
    });
    request.on('error', () => {});
    request.on('close', () => {
      clearTimeout(late);
      resolve(1);
    });
  } catch {
    resolve(1); // a port that is none
  }
  return promise;
}

/** Who listens everywhere is asked on loopback. */
function reachable(host: string): string {
  const bare = bareHost(host);
  if (bare === '0.0.0.0') return '127.0.0.1';
  return bare === '::' ? '::1' : bare;
}
