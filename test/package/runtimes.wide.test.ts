/** The packed package in a project of somebody else's, offline, on every runtime that it claims (contract §15). */
import { execFile } from 'node:child_process';
import { cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { createAuthenticator } from '../../src/grant/authenticate.ts';
import { ask } from '../support/ask.ts';
import { startNode, TOKEN } from '../support/gateway.ts';
import {
  commandOf,
  HOST_RUNTIMES,
  type Host,
  type HostRuntime,
  idsIn,
  startHost,
  stopHosts,
} from '../support/host.ts';
import { itServesCallers } from '../support/host-suite.ts';
import { copyOfProject } from '../support/package.ts';
import { openStream } from '../support/stream.ts';
import { outcomeOf, SECRET } from '../support/tokens.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GRANTED = { AUTH: 'grant', GRANT_SECRET: SECRET };
const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
/** Beside the applications of `examples/`. */
const COMMAND = 'node_modules/chroma-sync-gateway/cli.js';

interface Row {
  readonly runtime: HostRuntime;
  readonly script: string;
  readonly folder: string;
}
const ROWS: readonly Row[] = [
  { runtime: 'Node 22', script: 'hono.ts', folder: '/gateway' },
  { runtime: 'Node 24', script: 'hono.ts', folder: '/gateway' },
  { runtime: 'Node 26', script: 'hono.ts', folder: '/gateway' },
  { runtime: 'Bun', script: 'bun.ts', folder: '' },
  { runtime: 'Deno', script: 'deno.ts', folder: '' },
  { runtime: 'Node 22', script: COMMAND, folder: '' },
  { runtime: 'Node 24', script: COMMAND, folder: '' },
  { runtime: 'Node 26', script: COMMAND, folder: '' },
  { runtime: 'Bun', script: COMMAND, folder: '' },
  { runtime: 'Deno', script: COMMAND, folder: '' },
];

let project: string;
beforeAll(async () => {
  project = await copyOfProject(['hono', '@hono']);
  for (const name of ['hono.ts', 'bun.ts', 'deno.ts', 'wait.ts'])
    cpSync(join(ROOT, 'examples', name), join(project, name));
  for (const name of ['react', 'react-dom', 'scheduler']) {
    symlinkSync(join(ROOT, 'test/frameworks/node_modules', name), join(project, 'node_modules', name));
  }
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe.each(ROWS)('#195 $script on $runtime', ({ runtime, script, folder }) => {
  const simulator = createSimulator({ token: TOKEN });
  const file = () => join(project, `${runtime} ${script.replaceAll('/', '-')}.db`);
  let host: Host;
  beforeAll(async () => {
    host = await startHost([...commandOf(runtime), script], project, await simulator.listen(), {
      CACHE_STORE_URL: `sqlite:${file()}`,
    });
  });
  afterAll(async () => {
    await stopHosts();
    await simulator.close();
  });
  // Bun's `node:http` tells only when something is written; a comment is, every 8 s.
  itServesCallers(() => host.origin + folder, simulator, runtime === 'Bun' ? 10_000 : undefined);

  it('SIGTERM: streams are told, the process ends by itself, the job is in the file', async () => {
    const done = simulator.addJob({ state: 'complete' });
    await ask(host.origin + folder, done);
    const stream = await openStream(host.origin + folder, [simulator.addJob({ state: 'pending' })]);
    await stream.until(({ event }) => event === 'invocation');
    const stopped = host.stop();
    expect(await stream.until(({ event }) => event === 'end')).toMatchObject({
      data: '{"reason":"shutdown"}',
    });
    expect(await stopped, host.printed()).toBe(0);
    expect(idsIn(file())).toContain(done);
    expect(/^.*(?:store in trouble|rror:|unhandled).*$/im.exec(host.printed())?.[0]).toBeUndefined();
  });
});

describe.each(Object.keys(HOST_RUNTIMES) as HostRuntime[])('#195 what else runs on %s', (runtime) => {
  const run = async (script: string) => {
    const [program, ...args] = commandOf(runtime);
    writeFileSync(join(project, 'script.mjs'), script);
    const { stdout } = await promisify(execFile)(program!, [...args, 'script.mjs'], {
      cwd: project,
      timeout: 20_000,
    });
    return stdout;
  };

  it('a grant is signed, and a route gives one', async () => {
    const printed = await run(`
      import { grantRoute, signGrant } from 'chroma-sync-gateway/grant';
      const options = { secret: ${JSON.stringify(SECRET)}, expiresIn: '1m' };
      const route = grantRoute({ ...options, read: (request, { invocations }) => ({ invocations }) });
      const asked = { method: 'POST', body: JSON.stringify({ invocations: ['${ID}'] }) };
      const { grant } = await (await route(new Request('http://app/grant', asked))).json();
      console.log(JSON.stringify([await signGrant({ ...options, read: '*' }), grant]));`);
    const authenticate = createAuthenticator({
      keys: { kind: 'secrets', secrets: [SECRET] },
      audience: 'chroma-sync-gateway',
      issuer: undefined,
      now: Date.now,
    });
    const [everything, one] = JSON.parse(printed) as [string, string];
    expect((await outcomeOf(authenticate, everything)).grant).toMatchObject({ read: '*' });
    expect((await outcomeOf(authenticate, one)).grant).toMatchObject({
      read: { invocations: new Set([ID]) },
    });
  });

  it('#195 a script waits for a job: grants from a function, a stream, the end', async () => {
    const simulator = createSimulator({ token: TOKEN });
    const gateway = await startNode(await simulator.listen(), { ...GRANTED, CACHE_IN_FLIGHT_TTL_MS: '250' });
    const id = simulator.addJob({ state: 'pending', schedule: { processingAfterMs: 0, finishAfterMs: 500 } });
    const printed = run(`
      import { createClient, GatewayError } from 'chroma-sync-gateway/client';
      import { signGrant } from 'chroma-sync-gateway/grant';
      const secret = ${JSON.stringify(SECRET)};
      const grant = (invocations) => signGrant({ secret, read: { invocations }, expiresIn: '1m' });
      const client = createClient({ url: '${gateway.url}', grant });
      const states = [];
      for await (const job of client.watch('${id}')) states.push(job.state);
      const { state, durationMs } = await client.wait('${id}');
      const code = await client.wait('no id').catch((error) => error instanceof GatewayError && error.code);
      console.log(JSON.stringify({ states, state, durationMs, code }));`);
    for (const state of ['processing', 'complete'] as const) {
      // The answer to the one before the newest question has been passed on.
      await simulator.arrived(simulator.count(id) + 2, id);
      simulator.script(id, [{ type: 'state', state }]);
    }
    const told = await printed;
    await gateway.stop();
    await simulator.close();
    expect(JSON.parse(told)).toEqual({
      states: ['pending', 'processing', 'complete'],
      state: 'complete',
      durationMs: 500,
      code: 'invalid_id',
    });
  });

  // Node 20 does not run TypeScript.
  it.skipIf(runtime === 'Node 20')('#195 examples/wait.ts waits for a job and ends by itself', async () => {
    const simulator = createSimulator({ token: TOKEN });
    const gateway = await startNode(await simulator.listen(), GRANTED);
    const [program, ...args] = commandOf(runtime);
    const wait = async (id: string) => {
      const env = { PATH: process.env.PATH, GATEWAY_URL: gateway.url, GRANT_SECRET: SECRET };
      const options = { cwd: project, env, timeout: 20_000 };
      return (await promisify(execFile)(program!, [...args, 'wait.ts', id], options)).stdout;
    };
    const failed = { finishAfterMs: 1_000, outcome: 'failed', error: 'no such branch' } as const;
    expect(await wait(simulator.addJob({ schedule: failed }))).toBe('no such branch\n');
    expect(await wait(simulator.addJob({ schedule: { finishAfterMs: 1_000 } }))).toBe('complete\n');
    await gateway.stop();
    await simulator.close();
  });

  it('#195 a page is rendered on the server: without an answer, without a request', async () => {
    const printed = await run(`
      import { createElement } from 'react';
      import { renderToString } from 'react-dom/server';
      import { createClient } from 'chroma-sync-gateway/client';
      import { useInvocation } from 'chroma-sync-gateway/react';
      globalThis.fetch = () => { throw new Error('asked') };
      const client = createClient({ url: 'http://127.0.0.1:1', grant: '/api/grant' });
      const Job = ({ id }) => useInvocation(client, id).phase;
      console.log(renderToString(createElement(Job, { id: '${ID}' })), renderToString(createElement(Job, {})));`);
    expect(printed).toBe('loading idle\n');
  });

  if (runtime === 'Node 20') {
    it('the gateway says that this Node is too old', async () => {
      const script = `
        import { createGateway } from 'chroma-sync-gateway';
        try { createGateway({ CHROMA_API_KEY: 'x', AUTH: 'none' }) } catch (error) { console.log(error.name, error.message) }`;
      expect(await run(script)).toContain('needs Node 22.19.0 or newer, this is 20.');
    });
  }
});
