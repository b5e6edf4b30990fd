/**
 * The gateway as a guest in somebody's application (contract §15): from the variables to a `fetch` that the host mounts.
 * To its host it does nothing: no signal handler, no exit, nothing global, nothing opened before the first request.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import type { Context } from 'hono';
import type { App } from '../app.ts';
import { parseConfig } from '../config/config.ts';
import { composeGateway, scanFor } from '../gateway.ts';
import { createLog } from '../telemetry/log.ts';
import { type OpenedStore, openStore, refuseWrongStore } from './open-store.ts';
import { createNodeParts } from './parts.ts';

export { ConfigError } from '../config/config-error.ts';

/** What else a host may say. */
export interface GatewayOptions {
  /** Takes each line of the log, a line end included; without it they go to stdout. */
  readonly write?: (line: string) => void;
}

/** A mounted gateway. */
export interface Gateway {
  /** Answers everything, in whatever place it is mounted; never rejects. */
  fetch(request: Request): Promise<Response>;
  /**
   * Ends streams and waits, lets answers under way have 10 s, then flushes the store and lets go of upstream. Nothing keeps
   * the process alive after that, and later requests get 503 `shutting_down`.
   */
  close(): Promise<void>;
}

const GRACE_MS = 10_000;
/** Our paths, in whatever folder of the host they are. */
const OWN_PATH = /^.*?(\/api\/v1\/invocations(?:\/.*?)?|\/healthz|\/readyz)\/?$/;

/**
 * @param env the variables of the configuration, by name, as `process.env` has them; `AUTH` must be chosen. What
 *   concerns a process of its own (`HOST`, `PORT`, `METRICS_*`, `SHUTDOWN_DELAY_MS`) is ignored
 * @throws ConfigError that names every bad variable, a store's file that can never be one included
 */
export function createGateway(
  env: Readonly<Record<string, string | undefined>>,
  options: GatewayOptions = {},
): Gateway {
  const config = parseConfig(env, 'mounted', (path) => readFileSync(path, 'utf8'));
  refuseWrongStore(config.store);
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  const log = createLog({ level: config.logLevel, write, secrets: scanFor(config.secrets), now: Date.now });
  const { parts, upstream, life } = createNodeParts(config, log);
  const underWay = new Set<Promise<Response>>();
  let store: Promise<OpenedStore> | undefined;
  let app: Promise<App> | undefined;
  let hasTold = false;

  async function compose(): Promise<App> {
    store = life.phase() === 'closing' ? Promise.resolve({}) : openStore(config, parts, log);
    return composeGateway(config, {
      ...parts,
      ...(await store),
      life,
      pathOf,
      readHeader: (c: Context, name) => c.req.raw.headers.get(name) ?? undefined,
      whenLeft: (c: Context, tell) => c.req.raw.signal.addEventListener('abort', tell, { once: true }),
      handOver: (_c, reply) => reply.report(true),
    });
  }

  /** A host may strip its own prefix or keep it, and may redirect to a slash at the end. */
  function pathOf(path: string): string {
    const own = OWN_PATH.exec(path)?.[1];
    if (own === undefined && !hasTold) {
      hasTold = true;
      log.event(
        'warn',
        'a request for none of our paths: is the gateway mounted so that it gets /api/v1/invocations/…?',
      );
    }
    return own ?? path;
  }

  async function answer(request: Request): Promise<Response> {
    app ??= compose();
    return (await app).fetch(request);
  }

  return {
    fetch(request) {
      const response = answer(request);
      underWay.add(response);
      const forget = () => void underWay.delete(response);
      response.then(forget, forget);
      return response;
    },
    async close() {
      life.close();
      let late: ReturnType<typeof setTimeout> | undefined;
      const grace = new Promise((resolve) => {
        late = setTimeout(resolve, GRACE_MS);
      });
      await Promise.race([Promise.allSettled(underWay), grace]);
      clearTimeout(late);
      await (await store)?.store?.close();
      await upstream.close();
    },
  };
}
