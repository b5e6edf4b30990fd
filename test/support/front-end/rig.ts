/**
 * All that stands around a front end, real but for Chroma: pages in Chromium, a cable, a road, the gateway as a process, the
 * simulator, and the application's own back end.
 */
import type { Browser, BrowserContext } from 'playwright-core';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { type Cable, startCable } from '../cable.ts';
import { freePort } from '../free-port.ts';
import { type Env, type NodeGateway, startNode, TOKEN } from '../gateway.ts';
import { GRANT_ENV } from '../grants.ts';
import { QUICK } from '../watching.ts';
import { type BackEnd, startBackEnd } from './back-end.ts';
import { type Road, startRoad, type Treatment } from './road.ts';
import { openTab, type Tab, type TabOptions } from './tab.ts';

export interface RigOptions {
  /** `none` unless said. */
  readonly auth?: 'none' | 'grant';
  readonly env?: Env;
  readonly treatment?: Treatment;
  /** Something between the road and the gateway. */
  readonly behind?: (gatewayUrl: string) => Promise<{ readonly url: string; stop(): Promise<void> }>;
}

export interface Rig {
  readonly simulator: Simulator;
  /** The process that runs now. */
  readonly gateway: NodeGateway;
  readonly road: Road;
  readonly cable: Cable;
  readonly backEnd: BackEnd;
  /** All its tabs are of one browser context. */
  readonly context: BrowserContext;
  open(options?: TabOptions): Promise<Tab>;
  /** Another process on the same port, when the present one has ended. */
  restart(): Promise<void>;
  /** Ends everything. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param browser its contexts are made and closed here, itself not */
export async function startRig(browser: Browser, options: RigOptions = {}): Promise<Rig> {
  const { auth = 'none', treatment, behind } = options;
  const simulator = createSimulator({ token: TOKEN });
  const [backEnd, port] = await Promise.all([startBackEnd(), freePort(), simulator.listen()]);
  const env = {
    ...QUICK,
    ...(auth === 'grant' ? GRANT_ENV : {}),
    PORT: String(port),
    CORS_ORIGINS: backEnd.origin,
    ...options.env,
  };
  let gateway = await startNode(simulator.url, env);
  const between = await behind?.(gateway.url);
  const road = await startRoad(between?.url ?? gateway.url, treatment);
  const cable = await startCable(road.url);
  const context = await browser.newContext();
  return {
    simulator,
    get gateway() {
      return gateway;
    },
    road,
    cable,
    backEnd,
    context,
    open(tabOptions) {
      const grant = auth === 'grant' ? '&grant=/api/grant' : '';
      const url = `${backEnd.origin}/?gateway=${cable.url}${grant}`;
      return openTab(context, url, { quiet: road.quiet, ...tabOptions });
    },
    async restart() {
      await gateway.exited;
      gateway = await startNode(simulator.url, env);
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      cable.close();
      road.close();
      await between?.stop();
      backEnd.close();
      gateway.process.kill('SIGKILL'); // a stopped one too
      await gateway.exited;
      await simulator.close();
    },
  };
}
