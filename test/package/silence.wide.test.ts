/** Hosts that close what is silent for long (#202): what the gateway does about it, and what is left to the host. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask } from '../support/ask.ts';
import { TOKEN } from '../support/gateway.ts';
import { commandOf, type Host, startHost, stopHosts } from '../support/host.ts';
import { copyOfProject } from '../support/package.ts';
import { openStream } from '../support/stream.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
const SILENT_MS = 30_000;
/** As short as it can be written: every setting of the host's is the host's own. */
const PLAIN = {
  'plain-bun.ts': `import { createGateway } from 'chroma-sync-gateway';
    Bun.serve({ port: process.env.PORT, fetch: createGateway(process.env).fetch });`,
  'plain-deno.ts': `import { createGateway } from 'chroma-sync-gateway';
    Deno.serve({ port: Number(process.env.PORT) }, createGateway(process.env).fetch);`,
};

const simulator = createSimulator({ token: TOKEN });
const hosts = new Map<string, Host>();
let project: string;
beforeAll(async () => {
  project = await copyOfProject();
  for (const [name, text] of Object.entries(PLAIN)) writeFileSync(join(project, name), text);
  cpSync(join(EXAMPLES, 'bun.ts'), join(project, 'bun.ts'));
  const url = await simulator.listen();
  for (const [script, runtime] of [
    ['plain-bun.ts', 'Bun'],
    ['bun.ts', 'Bun'],
    ['plain-deno.ts', 'Deno'],
  ] as const) {
    hosts.set(script, await startHost([...commandOf(runtime), script], project, url));
  }
});
afterAll(async () => {
  await stopHosts();
  await simulator.close();
  rmSync(project, { recursive: true, force: true });
});
const at = (script: string) => hosts.get(script)!.origin;

it.concurrent.each(['plain-bun.ts', 'bun.ts', 'plain-deno.ts'])(
  '#202 %s: a stream whose job is silent for 30 s is not cut',
  async (script) => {
    const id = simulator.addJob({ schedule: { processingAfterMs: SILENT_MS, finishAfterMs: SILENT_MS } });
    const stream = await openStream(at(script), [id]);
    expect(await stream.ended).toBeGreaterThan(SILENT_MS - 1_000);
    expect(stream.comments()).toBeGreaterThanOrEqual(3);
    expect(stream.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'end']);
  },
  SILENT_MS + 15_000,
);

it.concurrent.each(['bun.ts', 'plain-deno.ts'])(
  '#202 %s: `wait=25` is answered',
  async (script) => {
    const waited = await ask(at(script), simulator.addJob({ state: 'pending' }), {
      headers: { prefer: 'wait=25' },
    });
    expect([waited.status, waited.headers.get('preference-applied')]).toEqual([200, 'wait=25']);
  },
  SILENT_MS + 15_000,
);

it.concurrent('#202 plain-bun.ts: `wait=25` is cut by Bun: that is what its idleTimeout in the example is for', async () => {
  const pending = simulator.addJob({ state: 'pending' });
  await expect(ask(at('plain-bun.ts'), pending, { headers: { prefer: 'wait=25' } })).rejects.toThrow();
});
