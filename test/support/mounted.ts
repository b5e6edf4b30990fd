/** The gateway as a guest in an application, before one simulator; whatever a test opens is closed after it. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createSimulator, type Simulator } from '../../simulator/simulator.ts';
import { createGateway, type Gateway } from '../../src/node/create-gateway.ts';
import { type Env, type LogLine, TOKEN } from './gateway.ts';
import { jsonLines } from './json-lines.ts';
import { noteAnswer } from './openapi/tap.ts';

export interface Mounted extends Gateway {
  /** Asks by a path, as a host would. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** A lookup of this id. */
  lookup(id: string, init?: RequestInit): Promise<Response>;
  /** The watches held, as `/readyz` has it. */
  watches(): Promise<number>;
  /** The JSON lines so far. */
  logs(): LogLine[];
}

export interface MountedRig {
  readonly simulator: Simulator;
  mount(env?: Env): Mounted;
}

export function useMounted(): MountedRig {
  const simulator = createSimulator({ token: TOKEN });
  const open: Gateway[] = [];
  beforeAll(() => simulator.listen());
  afterAll(() => simulator.close());
  afterEach(async () => {
    simulator.heal();
    await Promise.all(open.splice(0).map((gateway) => gateway.close()));
  });
  return {
    simulator,
    mount(env = {}) {
      let printed = '';
      const variables = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, AUTH: 'none', ...env };
      const gateway = createGateway(variables, {
        write: (line) => {
          printed += line;
        },
      });
      open.push(gateway);
      const ask = async (path: string, init?: RequestInit) => {
        const request = new Request(`https://app.example${path}`, init);
        return noteAnswer(request, await gateway.fetch(request));
      };
      return {
        ...gateway,
        ask,
        lookup: (id, init) => ask(`/api/v1/invocations/${id}`, init),
        async watches() {
          const body = (await (await ask('/readyz')).json()) as { watches: { held: number } };
          return body.watches.held;
        },
        logs: () => jsonLines(printed),
      };
    },
  };
}

/** A body's text as it comes, and what of it came so far. */
export function readText(response: Response) {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = '';
  return {
    cancel: () => reader.cancel(),
    /** Pulls until the text holds this, or the body ends; the text so far. Rejects as the body does. */
    async until(part: string): Promise<string> {
      while (!text.includes(part)) {
        const { value, done } = await reader.read();
        if (done) break;
        text += decoder.decode(value, { stream: true });
      }
      return text;
    },
    /** Pulls to the end. */
    async rest(): Promise<string> {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        text += decoder.decode(next.value, { stream: true });
      }
      return text;
    },
  };
}
