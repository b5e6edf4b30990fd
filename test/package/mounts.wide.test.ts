/** Every documented way to mount the gateway in a Hono app (#204), on Hono's own server for Node. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask, askAt, newId } from '../support/ask.ts';
import { TOKEN } from '../support/gateway.ts';
import { commandOf, type Host, startHost, stopHosts } from '../support/host.ts';
import { copyOfProject } from '../support/package.ts';
import { openStream } from '../support/stream.ts';

const ROWS = [
  { mount: "app.mount('/', gateway.fetch)", folder: '' },
  { mount: "app.mount('/gateway', gateway.fetch)", folder: '/gateway' },
  { mount: "app.mount('/gateway', gateway.fetch, { replaceRequest: false })", folder: '/gateway' },
  { mount: "app.all('/api/v1/invocations/*', (c) => gateway.fetch(c.req.raw))", folder: '' },
  { mount: "app.use(compress()).mount('/', gateway.fetch)", folder: '' },
  { mount: "new Hono().basePath('/deep/er').all('/*', (c) => gateway.fetch(c.req.raw))", folder: '/deep/er' },
] as const;

let project: string;
beforeAll(async () => {
  project = await copyOfProject(['hono', '@hono']);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe.each(ROWS)('#175 #204 $mount', ({ mount, folder }) => {
  const simulator = createSimulator({ token: TOKEN });
  let host: Host;
  beforeAll(async () => {
    const app = mount.startsWith('new') ? `const app = ${mount};` : `const app = new Hono(); ${mount};`;
    writeFileSync(
      join(project, 'app.mjs'),
      `import { serve } from '@hono/node-server';
       import { createGateway } from 'chroma-sync-gateway';
       import { Hono } from 'hono';
       import { compress } from 'hono/compress';
       const gateway = createGateway(process.env);
       ${app}
       serve({ fetch: app.fetch, port: Number(process.env.PORT) });`,
    );
    host = await startHost([...commandOf('Node 24'), 'app.mjs'], project, await simulator.listen());
  });
  afterAll(async () => {
    await stopHosts();
    await simulator.close();
  });

  it('lookups, errors, waits and streams are found, with a slash at the end too', async () => {
    const url = host.origin + folder;
    const id = simulator.addJob({ state: 'complete' });
    expect((await ask(url, id)).text).toContain(id);
    expect((await askAt(`${url}/api/v1/invocations/${id}/`)).text).toContain(id);
    expect((await ask(url, newId())).error.error).toBe('not_found');
    expect((await ask(url, 'no%20id')).error.error).toBe('invalid_id');
    const waited = await ask(url, id, { headers: { prefer: 'wait=5' } });
    expect(waited.headers.get('preference-applied')).toBe('wait=5');
    const soon = simulator.addJob({ schedule: { processingAfterMs: 1_500, finishAfterMs: 1_500 } });
    const stream = await openStream(url, [soon], { 'accept-encoding': 'gzip' });
    await stream.ended;
    expect(stream.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'end']);
    expect(stream.events[0]!.at).toBeLessThan(750); // nothing held it back until there was more
  });
});
