/** What docs/frontend.md shows and says is what there is (contract §13); the wide tests run and compile it. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ERROR_CODES } from '../../src/domain/errors.ts';
import { differencesOf, readPage } from '../support/shown-examples.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = readPage('docs/frontend.md');

describe('docs/frontend.md', () => {
  it('shows files of examples/ to the letter', () => {
    expect(page.shown.length).toBeGreaterThanOrEqual(7);
    expect(differencesOf(page)).toEqual([]);
  });

  it('shows every example that uses the client', () => {
    const users = globSync('examples/**/*.{ts,tsx,js,svelte,vue}', { cwd: ROOT }).filter((path) =>
      /createClient\(|: Client/.test(read(path)),
    );
    const folders = new Set(page.shown.map(([path]) => path.split('/')[1]));
    expect(users.filter((path) => !folders.has(path.split('/')[1]))).toEqual([]);
    expect(folders).toContain('plain');
  });

  it('names all that the entries export', () => {
    const ofEntry = [
      ...read('client/entry.ts')
        .replace(/\/\*.*\*\//g, '')
        .matchAll(/(\w+)(?=,| })/g),
    ].map(([, name]) => name!);
    const ofReact = [...read('client/react.ts').matchAll(/^export (?:\w+ )+?(\w+)[(:<]/gm)].map(
      ([, name]) => name!,
    );
    expect(ofEntry).toEqual(expect.arrayContaining(['createClient', 'GatewayError', 'Client', 'Invocation']));
    expect(ofReact).toContain('useInvocation');
    const isNamed = (name: string) => [`\`${name}\``, `\`${name}(`].some((form) => page.text.includes(form));
    const isOfAUnion = (name: string) => /^(?!Raw|Terminal)[A-Z]\w+(Snapshot|Invocation)$/.test(name);
    expect([...ofEntry, ...ofReact].filter((name) => !isNamed(name) && !isOfAUnion(name))).toEqual([]);
    const methods = [...read('client/client.ts').matchAll(/^ {2}(\w+)\(.*\): .*;$/gm)].map(
      ([, name]) => name!,
    );
    expect(methods).toEqual(
      expect.arrayContaining(['get', 'wait', 'watch', 'subscribe', 'snapshot', 'close']),
    );
    for (const method of methods) expect(page.text).toContain(`\`client.${method}(`);
  });

  it('has a row for each phase, each state, each end of a watch and each code of the client', () => {
    const rows = new Set([...page.text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name));
    const phases = [...read('client/snapshot.ts').matchAll(/phase: '(\w+)'/g)].map(([, name]) => name);
    const states = [...read('client/invocation.ts').matchAll(/state: '(\w+)'/g)].map(([, name]) => name);
    const ends = ['not_found', 'unauthorized', 'invalid_id', 'unknown_route', 'closed'];
    const own = ['unreachable', 'grant_unavailable', 'unexpected_answer'];
    expect([...new Set(phases), ...new Set(states)]).toHaveLength(11);
    for (const name of [...phases, ...states, ...ends, ...own]) expect(rows).toContain(name);
    const all = new Set<string>([...ERROR_CODES, ...ends, ...own]);
    const codes = page.text.slice(page.text.indexOf('## Errors'), page.text.indexOf('## Grants of a page'));
    for (const [, name] of codes.matchAll(/^\| `(\w+)` \|/gm)) expect(all).toContain(name);
  });
});

describe('the React example', () => {
  const lines = read('examples/react/src/jobs.tsx')
    .split('\n')
    .filter((line) => line.trim() !== '');

  it('has at most 25 lines of the developer’s own, imports included', () => {
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThanOrEqual(25);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(110);
  });

  it('has no code for requests, timers or tokens', () => {
    expect(lines.join('\n')).not.toMatch(
      /fetch|XMLHttp|EventSource|set(Timeout|Interval)|requestAnimation|token|Bearer/i,
    );
  });
});

describe('the simulator', () => {
  const simulator = createSimulator();
  beforeAll(() => simulator.listen());
  afterAll(() => simulator.close());

  it('takes the commands of docs/frontend.md', async () => {
    const commands = [
      ...page.text.matchAll(/^curl (?:-X POST )?http:\/\/127\.0\.0\.1:8000(\S+)(?: -d '(.*)')?$/gm),
    ];
    expect(commands).toHaveLength(3);
    for (const [, path, body] of commands) {
      const { status } = await fetch(simulator.url + path!, { method: 'POST', body: body ?? null });
      expect([path, status]).toEqual([path, path!.endsWith('/jobs') ? 201 : 204]);
    }
  });
});
