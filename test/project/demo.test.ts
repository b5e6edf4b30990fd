import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { isRefused } from '../support/ask.ts';
import { originsIn } from '../support/demo.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/jobs.ts';

const folder = mkdtempSync(join(tmpdir(), 'demo-'));
let demo: ChildProcessWithoutNullStreams;
afterEach(async () => {
  if (demo.exitCode !== null || demo.signalCode !== null) return;
  const gone = once(demo, 'close');
  demo.kill('SIGTERM');
  // A demo that is broken enough not to stop must not leave a gateway behind: its second signal ends both at once.
  const again = setTimeout(() => demo.kill('SIGTERM'), 5_000);
  await gone;
  clearTimeout(again);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Starts the demo and collects what it prints; `entry` replaces the real gateway by a script of this text. */
function start(env: Record<string, string>, entry?: string) {
  const file = join(folder, 'entry.mjs');
  if (entry !== undefined) writeFileSync(file, entry);
  const other = `const { startDemo } = await import('./demo/demo.ts'); await startDemo({ entry: '${file}' });`;
  const args = entry === undefined ? ['src/node/cli.ts', 'demo'] : ['--input-type=module', '-e', other];
  demo = spawn(process.execPath, args, { env: { ...process.env, ...env } });
  const printed = { out: '', err: '' };
  demo.stdout.on('data', (text) => {
    printed.out += text;
  });
  demo.stderr.on('data', (text) => {
    printed.err += text;
  });
  const exit = once(demo, 'close').then(([status]) => status as number | null);
  const ready = () => expect.poll(() => printed.out, { timeout: 20_000 }).toContain('Ctrl-C');
  return { printed, exit, ready };
}

/** Runs a command line as a person would paste it. */
async function paste(line: string): Promise<string> {
  const shell = spawn('sh', ['-c', line]);
  let out = '';
  shell.stdout.on('data', (text) => {
    out += text;
  });
  await once(shell, 'close');
  return out;
}

/** The lines that get a grant and ask with it. */
function linesWithGrant(text: string): string {
  return /^ {2}grant=.*\n {2}curl -i .*$/m.exec(text)![0];
}

it('prints the address of a page first, and a signal stops all of it cleanly', async () => {
  const { printed, exit, ready } = start({ PORT: '0' });
  await ready();
  const [first, , address] = printed.out.split('\n');
  expect(first).toBe('Open this page:');
  const page = await fetch(address!.trim());
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<h1>')]);
  const all = originsIn(printed.out);
  expect([all.length, `  ${all[0]}/`]).toEqual([3, address]);
  demo.kill('SIGINT');
  expect(await exit).toBe(0);
  expect(printed.err).toBe('');
  for (const url of all) expect(await isRefused(url), url).toBe(true);
});

it('killed, it takes the gateway with it', async () => {
  const { printed, ready } = start({ PORT: '0' });
  await ready();
  demo.kill('SIGKILL');
  for (const url of originsIn(printed.out)) {
    expect(await eventually(() => isRefused(url), 3_000), url).toBe(true);
  }
});

it('prints lines that get a grant and ask for a job, and work as they stand', async () => {
  const { printed, ready } = start({ PORT: '0' });
  await ready();
  const out = await paste(linesWithGrant(printed.out));
  expect(out).toMatch(/^HTTP\/1.1 200 [\s\S]*Cache-Status: [\s\S]*"status":/);
});

it('prints three lines that watch a new job to its end and tell how often upstream was asked', async () => {
  const { printed, exit, ready } = start({ PORT: '0' });
  await ready();
  const lines = /^ {2}id=[\s\S]*?\/count\/\$id$/m.exec(printed.out)![0];
  const soon = `-X POST -H 'content-type: application/json' -d '{"schedule":{"finishAfterMs":1000}}'`;
  const out = await paste(`${linesWithGrant(printed.out)} >&2\n${lines.replace('-X POST', soon)}`);
  expect(out).toMatch(/^retry: \d{4}\n\nevent: invocation\ndata: .*"status":"pending"/);
  expect(out).toMatch(/"complete"[\s\S]*event: end\nid: end\ndata: \{"reason":"settled"\}\n\n2\s*$/);
  demo.kill('SIGTERM');
  expect(await exit).toBe(0);
});

it('takes another port when the wanted one is not free, and says so', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { printed, ready } = start({ PORT: String(port) });
  await ready();
  expect(printed.out).toContain(`Port ${port} is not free`);
  expect(printed.out).not.toContain(`http://127.0.0.1:${port}/`);
  taken.close();
});

it('tells the last words of a gateway that does not start, and fails', async () => {
  const { printed, exit } = start({}, `console.error('no such key'); process.exit(78);`);
  expect(await exit).toBe(1);
  expect(printed.err).toMatch(/exit status 78[\s\S]*no such key/);
});

it('tells the last words of a gateway that dies later, and fails', async () => {
  const dies = `
    console.log('not JSON');
    console.log(JSON.stringify({ msg: 'listening', url: 'http://127.0.0.1:1' }));
    setTimeout(() => { console.error('out of luck'); process.kill(process.pid, 'SIGKILL'); }, 100);`;
  const { printed, exit } = start({}, dies);
  expect(await exit).toBe(1);
  expect(printed.out).toContain(' http://127.0.0.1:1/api/v1/');
  expect(printed.err).toMatch(/SIGKILL[\s\S]*out of luck/);
});

it('hands the gateway nothing of the operator’s own environment', async () => {
  const tells = `console.error(Object.keys(process.env).sort().join()); process.exit(1);`;
  const { printed, exit } = start(
    { CHROMA_API_KEY_FILE: '/nowhere', CACHE_STORE_URL: 'redis://nowhere' },
    tells,
  );
  await exit;
  expect(printed.err).toContain('AUTH,CHROMA_API_KEY,CORS_ORIGINS,GRANT_SECRET,PATH,PORT,UPSTREAM_URL\n');
});

it('shows its figures too, for who wants to see the dashboard live', async () => {
  const port = await freePort();
  const { ready } = start({ PORT: '0', METRICS_PORT: String(port) });
  await ready();
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(page).toContain('chroma_sync_gateway_watchers ');
});
