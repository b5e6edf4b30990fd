/** A gateway that knows one finished job, for the suites that speak to it byte by byte: started once per describe. */
import { beforeAll } from 'vitest';
import type { Simulator } from '../../simulator/simulator.ts';
import { ask } from './ask.ts';
import type { Gateway } from './gateway.ts';
import { type Conversation, converse, getWith } from './raw-socket.ts';
import { useSimulated } from './simulated-rig.ts';

export interface RawRig {
  readonly simulator: Simulator;
  readonly gateway: Gateway;
  /** The known job's path, and its body: upstream was asked for it once. */
  readonly path: string;
  readonly text: string;
  send(bytes: string, withinMs?: number): Promise<Conversation>;
  /** One request for the job with these header lines; the last answer on its connection. */
  get(headers: string): Promise<string>;
}

export function useRawRig(runtime: Gateway['runtime']): RawRig {
  const { simulator, gateway } = useSimulated(runtime);
  const id = simulator.addJob({ state: 'complete' });
  const path = `/api/v1/invocations/${id}`;
  let text: string;
  beforeAll(async () => {
    ({ text } = await ask(gateway.url, id));
  });
  return {
    simulator,
    gateway,
    path,
    get text() {
      return text;
    },
    send: (bytes, withinMs) => converse(gateway.url, bytes, { withinMs }),
    get: (headers) => getWith(gateway.url, path, [headers]),
  };
}
