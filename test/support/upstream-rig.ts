/** A gateway before a raw upstream, for the suites of upstream's faults: started once per describe. */
import { afterAll, beforeAll, expect } from 'vitest';
import { type Asked, ask, newId } from './ask.ts';
import { type Env, type Gateway, type LogLine, startGateway } from './gateway.ts';
import { eventually } from './jobs.ts';
import { type RawScript, type RawUpstream, startRawUpstream } from './raw-upstream.ts';

/** One question about a fresh id, and what it cost upstream. */
export interface Faulted extends Asked {
  readonly id: string;
  readonly calls: number;
}

export interface Rig {
  readonly upstream: RawUpstream;
  readonly gateway: Gateway;
  /** Asks about a fresh id for which upstream behaves like this. */
  fault(script: RawScript, init?: RequestInit): Promise<Faulted>;
  /** Good answers, so that the faults of a suite never are half of all calls and the breaker stays closed. */
  calm(): Promise<void>;
  /** What the log says of the failed upstream calls for this id, once there are so many. */
  failures(id: string, count?: number): Promise<readonly LogLine[]>;
}

export function useRig(runtime: Gateway['runtime'], env: Env = {}): Rig {
  let upstream: RawUpstream;
  let gateway: Gateway;
  beforeAll(async () => {
    upstream = await startRawUpstream();
    gateway = await startGateway(runtime, upstream.url, env);
  });
  afterAll(async () => {
    await gateway?.stop();
    await upstream?.close();
  });
  return {
    get upstream() {
      return upstream;
    },
    get gateway() {
      return gateway;
    },
    async fault(script, init) {
      const id = newId();
      upstream.scriptFor(id, script);
      const asked = await ask(gateway.url, id, init);
      return { ...asked, id, calls: upstream.requestsFor(id) };
    },
    async calm() {
      for (let i = 0; i < 3; i++) expect((await ask(gateway.url, newId())).status).toBe(200);
    },
    failures: (id, count = 1) => failuresOf(gateway, id, count),
  };
}

/** Polls, because a line may be under way when its answer has come. */
export async function failuresOf(gateway: Gateway, id: string, count = 1): Promise<readonly LogLine[]> {
  const found = () =>
    gateway.logs().filter((line) => line.msg === 'upstream call failed' && line.invocationId === id);
  const lines = await eventually(found, 5_000, ({ length }) => length >= count);
  expect(lines).toHaveLength(count);
  return lines;
}
