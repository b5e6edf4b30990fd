/** A gateway that knows one finished job, for the suites that speak to it byte by byte: started once per describe. */
import { afterAll, beforeAll } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask } from './ask.ts';
import { type Gateway, startGateway, TOKEN } from './gateway.ts';
import { type Conversation, converse, getWith } from './raw-socket.ts';

export interface RawRig {
  readonly simulator: ReturnType<typeof createSimulator>;
  readonly gateway: Gateway;
  /** The known job's path, and its body: upstream was asked for it once. */
  readonly path: string;
  readonly text: string;
  send(bytes: string, withinMs?: number): Promise<Conversation>;
  /** One request for the job with these header lines; the last answer on its connection. */
  get(headers: string): Promise<string>;
}

export function useRawRig(runtime: Gateway['runtime']): RawRig {
  const simulator = createSimulator({ token: TOKEN });
  const id = simulator.addJob({ state: 'complete' });
  const path = `/api/v1/invocations/${id}`;
  let gateway: Gateway;
  let text: string;
  beforeAll(async () => {
    gateway = await startGateway(runtime, await simulator.listen());
    ({ text } = await ask(gateway.url, id));
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });
  const send = (bytes: string, withinMs?: number) => converse(gateway.url, bytes, { withinMs });
  return {
    simulator,
    path,
    get gateway() {
      return gateway;
    },
    get text() {
      return text;
    },
    send,
    get: (headers) => getWith(gateway.url, path, [headers]),
  };
}
