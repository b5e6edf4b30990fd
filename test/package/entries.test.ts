/** The package's entries as an application loads them, and what they leave of its process (contract §15). */
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { TOKEN } from '../support/gateway.ts';
import { copyOfProject } from '../support/package.ts';
import { SECRET } from '../support/tokens.ts';

const run = promisify(execFile);
const simulator = createSimulator({ token: TOKEN });
let project: string;
beforeAll(async () => {
  project = await copyOfProject(['react']);
  await simulator.listen();
});
afterAll(async () => {
  rmSync(project, { recursive: true });
  await simulator.close();
});

/** Runs a script in the project of somebody else; what it printed as JSON. It must say nothing on stderr. */
async function inProject(type: 'commonjs' | 'module', script: string): Promise<unknown> {
  const env = {
    CHROMA_API_KEY: TOKEN,
    UPSTREAM_URL: simulator.url,
    AUTH: 'none',
    LOG_LEVEL: 'silent',
    SECRET,
  };
  const file = join(project, `${crypto.randomUUID()}.${type === 'module' ? 'mjs' : 'cjs'}`);
  writeFileSync(file, script);
  const { stdout, stderr } = await run(process.execPath, [file], { cwd: project, env, timeout: 20_000 });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('the entries', () => {
  it('have these functions, imported', async () => {
    const script = `console.log(JSON.stringify(await Promise.all(['', '/grant', '/client', '/react']
      .map(async (entry) => Object.keys(await import('chroma-sync-gateway' + entry))))));`;
    expect(await inProject('module', script)).toEqual([
      ['ConfigError', 'createGateway'],
      ['grantRoute', 'signGrant'],
      ['GatewayError', 'createClient'],
      ['useInvocation'],
    ]);
  });

  it('#208 have the same and work by require()', async () => {
    const script = `
      const { createGateway, ConfigError } = require('chroma-sync-gateway');
      const { signGrant, grantRoute } = require('chroma-sync-gateway/grant');
      const { createClient, GatewayError } = require('chroma-sync-gateway/client');
      const { useInvocation } = require('chroma-sync-gateway/react');
      const { version } = require('chroma-sync-gateway/package.json');
      (async () => {
        const gateway = createGateway(process.env);
        const { status } = await gateway.fetch(new Request('http://localhost/healthz'));
        await gateway.close();
        const grant = await signGrant({ secret: process.env.SECRET, read: '*', expiresIn: '1m' });
        const route = typeof grantRoute({});
        createClient({ url: 'http://localhost/' }).close();
        const page = [GatewayError.name.length > 0, typeof useInvocation];
        let problems;
        try { createGateway({}); } catch (error) { problems = error instanceof ConfigError && error.problems.length; }
        console.log(JSON.stringify({ status, grant: grant.length > 50, route, page, problems, version: typeof version }));
      })();`;
    expect(await inProject('commonjs', script)).toEqual({
      status: 200,
      grant: true,
      route: 'function',
      page: [true, 'function'],
      problems: 2,
      version: 'string',
    });
  });
});

describe('the client', () => {
  it('#206 sees no old answer where the host replaces `fetch` by one that keeps GETs unless told `no-store`', async () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 0, finishAfterMs: 1_000 } });
    const script = `
      import { createGateway } from 'chroma-sync-gateway';
      import { createClient } from 'chroma-sync-gateway/client';
      const gateway = createGateway({ ...process.env, CACHE_IN_FLIGHT_TTL_MS: '250' });
      const kept = new Map();
      globalThis.fetch = async (url, init) => {
        const ask = () => gateway.fetch(new Request(url, init));
        if (init.cache === 'no-store') return ask();
        if (!kept.has(url)) kept.set(url, await ask());
        return kept.get(url).clone();
      };
      const client = createClient({ url: 'http://localhost' });
      const listed = async () => (await client.list()).find((job) => job.id === '${id}').state;
      const first = (await client.get('${id}')).state;
      const firstListed = await listed();
      const until = Date.now() + 5_000;
      let last = first;
      while (last === first && Date.now() < until) last = (await client.get('${id}')).state;
      const lastListed = await listed();
      await gateway.close();
      console.log(JSON.stringify({ first, firstListed, last, lastListed, kept: [...kept.keys()] }));`;
    expect(await inProject('module', script)).toEqual({
      first: 'processing',
      firstListed: 'processing',
      last: 'complete',
      lastListed: 'complete',
      kept: [],
    });
  });
});

/** Everything that a guest could have changed, as far as it can be compared; the host has used its own `fetch` before. */
const SNAPSHOT = `
  await fetch('data:,').then((response) => response.text());
  const looked = [globalThis, ...[Request, Response, Headers, AbortSignal, Promise, Array, Object, String, Map,
    Error, Function].map(({ prototype }) => prototype)];
  const look = (at) => new Map(Reflect.ownKeys(at).map((key) => {
    const { value, get } = Object.getOwnPropertyDescriptor(at, key);
    return [key, value ?? get];
  }));
  const before = looked.map(look);
  const listeners = () => process.eventNames().map((name) => String(name) + process.listenerCount(name)).sort().join();
  const listenersBefore = listeners();
  const limit = Error.stackTraceLimit;
  function changes() {
    const found = [];
    for (const [i, now] of looked.map(look).entries()) {
      for (const [key, value] of now) {
        if (!before[i].has(key) || !Object.is(before[i].get(key), value)) found.push(String(key));
      }
    }
    if (listeners() !== listenersBefore) found.push('listeners');
    if (Error.stackTraceLimit !== limit) found.push('Error.stackTraceLimit');
    return found;
  }`;

describe('to its host the package', () => {
  it('does nothing: no global, no listener, no dispatcher is another, after import, answers and close()', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const script = `${SNAPSHOT}
      const found = {};
      const { createGateway } = await import('chroma-sync-gateway');
      const { signGrant } = await import('chroma-sync-gateway/grant');
      const { createClient } = await import('chroma-sync-gateway/client');
      found.imported = changes();
      const gateway = createGateway({ ...process.env, CACHE_STORE_URL: 'sqlite:' + ${JSON.stringify('PLACE')} });
      const client = createClient({ url: 'http://127.0.0.1:1', grant: async () => 'none' });
      client.subscribe('3c90c3cc-0d44-4b50-8888-8dd25736052a', () => {})();
      client.close();
      found.created = changes();
      const ask = (path) => gateway.fetch(new Request('http://localhost/api/v1/invocations/' + path));
      found.status = (await ask('${id}')).status;
      found.stream = (await (await ask('events?id=${id}')).text()).includes('"settled"');
      await signGrant({ secret: process.env.SECRET, read: '*', expiresIn: '1m' });
      found.answered = changes();
      await gateway.close();
      found.closed = changes();
      console.log(JSON.stringify(found));`.replace('PLACE', join(project, 'jobs.db'));
    expect(await inProject('module', script)).toEqual({
      imported: [],
      created: [],
      status: 200,
      stream: true,
      answered: [],
      closed: [],
    });
  });

  it('would be seen to change something', async () => {
    const script = `${SNAPSHOT}
      globalThis[Symbol.for('undici.globalDispatcher.1')] = {};
      globalThis.Request = class {};
      globalThis.ours = 1;
      Array.prototype.oursToo = 1;
      process.on('SIGTERM', () => {});
      console.log(JSON.stringify(changes()));
      process.exit();`;
    expect(await inProject('module', script)).toEqual([
      'Request',
      'ours',
      'Symbol(undici.globalDispatcher.1)',
      'oursToo',
      'listeners',
    ]);
  });
});
