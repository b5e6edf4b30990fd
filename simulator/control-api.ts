/**
 * The simulator's own path, `/_simulator/…`, which Chroma does not have: the in-process commands by HTTP. Needs no
 * token (the server listens on loopback only) and is never counted.
 */
import * as z from 'zod';
import type { Reply } from './chroma-api.ts';
import { jobSpec } from './jobs.ts';
import type { Simulator } from './orders.ts';
import { scope, step, subject } from './script.ts';

/** Where the commands live. */
export const CONTROL_PATH = '/_simulator/';

const faultOrder = scope.extend({ step, times: z.int().positive().optional() });
const latencyOrder = scope.extend({ ms: z.number().nonnegative() });
const scriptOrder = z.strictObject({ id: subject, steps: z.array(step).min(1) });

type Command = (simulator: Simulator, body: unknown) => Reply;
const done: Reply = { status: 204 };

const COMMANDS: Record<string, Command> = {
  'POST jobs': (simulator, body) => {
    const invocation_id = simulator.addJob(jobSpec.parse(body ?? {}));
    return { status: 201, body: { invocation_id } };
  },
  'POST script': (simulator, body) => {
    const { id, steps } = scriptOrder.parse(body);
    simulator.script(id, steps);
    return done;
  },
  'POST fault': (simulator, body) => {
    const { step: fault, ...of } = faultOrder.parse(body);
    simulator.fault(fault, of);
    return done;
  },
  'POST latency': (simulator, body) => {
    const { ms, ...of } = latencyOrder.parse(body);
    simulator.latency(ms, of);
    return done;
  },
  'POST hold': (simulator, body) => {
    simulator.hold(scope.parse(body ?? {}));
    return done;
  },
  'POST release': (simulator, body) => {
    simulator.release(scope.parse(body ?? {}));
    return done;
  },
  'POST heal': (simulator) => {
    simulator.heal();
    return done;
  },
  'GET requests': (simulator) => ({
    status: 200,
    body: { ...simulator.counts(), last: simulator.requests() },
  }),
  'DELETE requests': (simulator) => {
    simulator.forgetRequests();
    return done;
  },
};

/** Runs one command; `GET count`, `GET count/ID` and `GET count/lists` answer with a bare number for use in a shell. */
export function control(simulator: Simulator, method: string, path: string, body: unknown): Reply {
  const [name = '', id] = path.slice(CONTROL_PATH.length).split('/');
  if (method === 'GET' && name === 'count') return { status: 200, body: simulator.count(id) };
  const command = COMMANDS[`${method} ${name}`];
  if (!command || id !== undefined) {
    return { status: 404, body: { error: 'no such command', commands: Object.keys(COMMANDS) } };
  }
  try {
    return command(simulator, body);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    return { status: 400, body: { error: z.prettifyError(error) } };
  }
}
