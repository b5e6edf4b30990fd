/** Two upstream tokens on one durable store (faults #42): neither is ever shown the other's answers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd } from '../../support/gateway.ts';
import { COMPLETE } from '../../support/jobs.ts';
import { answer, type RawUpstream, startRawUpstream } from '../../support/raw-upstream.ts';

const NOT_ON_WORKERD = {
  '#42 at the same time':
    'all Workers that share a namespace of objects share its one environment, token included',
};
it.skip.each(Object.entries(NOT_ON_WORKERD))('%s, on workerd: %s', () => {});

const TOKENS = ['ck-first-account-0123', 'ck-second-account-0123'] as const;

describe.each(RUNTIMES)('two upstream tokens on one store on %s', (runtime) => {
  let upstream: RawUpstream;
  let folder: string;
  beforeEach(async () => {
    upstream = await startRawUpstream();
    folder = mkdtempSync(join(tmpdir(), 'gateway-shared-'));
    // Every account has its own job under this id; the answer tells whose it is.
    upstream.script((request) => {
      const token = /^x-chroma-token: (.*)\r?$/im.exec(request.head)?.[1] ?? '';
      answer(request, { status: COMPLETE, owner: TOKENS.indexOf(token as (typeof TOKENS)[number]) });
    });
  });
  afterEach(async () => {
    await upstream.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The same store each time: one file on Node, the objects' own storage on workerd. */
  function start(env: Record<string, string>): Promise<Gateway> {
    return runtime === 'node'
      ? startNode(upstream.url, { CACHE_STORE_URL: `sqlite:${join(folder, 'answers')}`, ...env })
      : startWorkerd(upstream.url, env, { persistTo: folder });
  }
  /** A whole life of a gateway: what it says of the id, whose job it was, and what that cost upstream. */
  async function life(id: string, env: Record<string, string>) {
    const gateway = await start(env);
    const before = upstream.requests();
    const { text, cacheStatus } = await ask(gateway.url, id);
    await gateway.stop();
    const { owner } = JSON.parse(text) as { owner: number };
    return { owner, hit: cacheStatus.endsWith('; hit'), asked: upstream.requests() - before };
  }

  it('#42 each asks for itself and keeps its own, across restarts', async () => {
    const id = newId();
    for (const owner of [0, 1]) {
      const env = { CHROMA_API_KEY: TOKENS[owner]! };
      expect(await life(id, env)).toEqual({ owner, hit: false, asked: 1 });
      // The store has its answer: the next life costs upstream nothing.
      expect(await life(id, env)).toMatchObject({ owner, asked: 0 });
    }
    expect(await life(id, { CHROMA_API_KEY: TOKENS[0] })).toMatchObject({ owner: 0, asked: 0 });
  });

  it('#42 only an operator who names one partition for both joins them', async () => {
    const id = newId();
    const shared = { CACHE_PARTITION: "a:b|'c" };
    expect(await life(id, { CHROMA_API_KEY: TOKENS[0], ...shared })).toMatchObject({ owner: 0, asked: 1 });
    expect(await life(id, { CHROMA_API_KEY: TOKENS[1], ...shared })).toMatchObject({ owner: 0, asked: 0 });
    expect(await life(id, { CHROMA_API_KEY: TOKENS[1] })).toMatchObject({ owner: 1, asked: 1 });
  });

  it.runIf(runtime === 'node')('#42 at the same time, too: two sidecars, one file', async () => {
    const ids = Array.from({ length: 50 }, newId);
    const gateways = await Promise.all(TOKENS.map((token) => start({ CHROMA_API_KEY: token })));
    for (const round of [1, 2]) {
      await Promise.all(
        ids.flatMap((id) =>
          gateways.map(async (gateway, owner) => {
            const { text } = await ask(gateway.url, id);
            expect(JSON.parse(text), `round ${round}`).toMatchObject({ id, owner });
          }),
        ),
      );
    }
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    expect(upstream.requests()).toBe(2 * ids.length);
  });
});
