/**
 * The gateway as a guest in somebody's application (contract §15): from the variables to a `fetch` that the host mounts.
 * To its host it does nothing: no signal handler, no exit, nothing global, nothing opened before the first request.
 */
import { readFileSync } from 'node:fs';
import type { Context } from 'hono';
import type { App } from '../app.ts';
import { parseConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { asFailure } from '../domain/errors.ts';
import { composeGateway, createConfiguredLog } from '../gateway.ts';
import { answerWithoutApp } from '../http/without-app.ts';
import { createHostWriter } from './host-log.ts';
import { createPathOf } from './mounted-path.ts';
import { type OpenedStore, openStore, refuseWrongStore } from './open-store.ts';
import { createNodeParts } from './parts.ts';
import { isTooOld, tooOldMessage } from './version.ts';

export { ConfigError };

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

/**
 * @param env the variables of the configuration, by name, as `process.env` has them; `AUTH` must be chosen. What
 *   concerns a process of its own (`HOST`, `PORT`, `METRICS_*`, `SHUTDOWN_DELAY_MS`) is ignored
 * @throws ConfigError that names every bad variable, a store's file that can never be one included, or that Node is too old
 */
export function createGateway(
  env: Readonly<Record<string, string | undefined>>,
  options: GatewayOptions = {},
): Gateway {
  if (isTooOld(process.versions.node)) throw new ConfigError([tooOldMessage(process.versions.node)]);
  const config = parseConfig(env, 'mounted', (path) => readFileSync(path, 'utf8'));
  refuseWrongStore(config.store);
  const log = createConfiguredLog(config, createHostWriter(options.write));
  const { parts, upstream, life } = createNodeParts(config, log);
  const underWay = new Set<Promise<Response>>();
  let store: Promise<OpenedStore> | undefined;
  let app: Promise<App> | undefined;
  let closing: Promise<void> | undefined;

  async function compose(): Promise<App> {
    store = life.phase() === 'closing' ? Promise.resolve({}) : openStore(config, parts, log);
    return composeGateway(config, {
      ...parts,
      ...(await store),
      life,
      pathOf: createPathOf(log),
      readHeader: (c: Context, name) => c.req.raw.headers.get(name) ?? undefined,
      whenLeft: (c: Context, tell) => onceAborted(c.req.raw.signal, tell),
      handOver: (_c, reply) => reply.report(true),
    });
  }

  async function answer(request: Request): Promise<Response> {
    try {
      app ??= compose();
      return await (await app).fetch(request);
    } catch (err) {
      // The store's folder went away since it was looked at: it may be back at the next request.
      app = undefined;
      log.event('error', 'cannot open', { err });
      return answerWithoutApp(request, config.corsOrigins, asFailure(err));
    }
  }

  async function close(): Promise<void> {
    life.close();
    let late: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise((resolve) => {
      late = setTimeout(resolve, GRACE_MS);
    });
    await Promise.race([Promise.allSettled(underWay), grace]);
    clearTimeout(late);
    const opened = await store?.catch(() => undefined);
    await opened?.store?.close();
    await upstream.close();
  }

  return {
    fetch(request) {
      const response = answer(request);
      underWay.add(response);
      const forget = () => void underWay.delete(response);
      response.then(forget, forget);
      return response;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Also when the caller had left before anybody listened. */
function onceAborted(signal: AbortSignal, tell: () => void): void {
  if (signal.aborted) tell();
  else signal.addEventListener('abort', tell, { once: true });
}
