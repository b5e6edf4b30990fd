/** The simulator and gateways before it, started and ended by the suite's own hooks. */
import { afterAll, type afterEach, beforeAll } from 'vitest';
import { createSimulator, type Simulator } from '../../simulator/simulator.ts';
import {
  type Env,
  type Gateway,
  type NodeGateway,
  type SidecarOptions,
  startGateway,
  startNode,
  TOKEN,
} from './gateway.ts';

export interface SimulatedRig {
  readonly simulator: Simulator;
  /** Of use once the suite's `beforeAll` hooks run. */
  readonly gateway: Gateway;
}

/** One gateway before one simulator, started once per describe; a hook registered later finds both running. */
export function useSimulated(runtime: Gateway['runtime'], env: Env = {}): SimulatedRig {
  const simulator = createSimulator({ token: TOKEN });
  let started: Gateway;
  beforeAll(async () => {
    started = await startGateway(runtime, await simulator.listen(), env);
  });
  afterAll(async () => {
    await started?.stop();
    await simulator.close();
  });
  const gateway: Gateway = {
    runtime,
    get url() {
      return started.url;
    },
    get process() {
      return started.process;
    },
    printed: () => started.printed(),
    logs: () => started.logs(),
    stop: () => started.stop(),
  };
  return { simulator, gateway };
}

export interface SidecarsRig {
  readonly simulator: Simulator;
  /** A sidecar that the suite may end as it likes. */
  start(env?: Env, options?: SidecarOptions): Promise<NodeGateway>;
}

/**
 * Sidecars before one simulator, for suites about how a process ends.
 * @param end when those that still run are killed, and the simulator's faults forgotten
 */
export function useSidecars(end: typeof afterAll | typeof afterEach): SidecarsRig {
  const simulator = createSimulator({ token: TOKEN });
  const running: NodeGateway[] = [];
  beforeAll(() => simulator.listen());
  afterAll(() => simulator.close());
  end(async () => {
    const all = running.splice(0);
    for (const { process } of all) process.kill('SIGKILL');
    await Promise.all(all.map(({ exited }) => exited));
    simulator.heal();
  });
  return {
    simulator,
    async start(env, options) {
      const gateway = await startNode(simulator.url, env, options);
      running.push(gateway);
      return gateway;
    },
  };
}
