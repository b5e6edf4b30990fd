/** What is in `deploy/` names only what the code has: variables, paths, commands, exit statuses. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { VARIABLE_NAMES, VARIABLES } from '../../src/config/variables.ts';
import { VERSION } from '../../src/domain/version.ts';
import { HELP } from '../../src/node/usage.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}/${path}`, 'utf8');
/** What git keeps: the secrets of somebody who tried it lie beside. */
const files = globSync('deploy/**', { cwd: ROOT, exclude: (name) => name === 'secrets' }).filter((path) =>
  statSync(`${ROOT}/${path}`).isFile(),
);
/** Node's own, and what every process has. */
const FOREIGN = ['NODE_ENV', 'PATH'];
/** The slowest stop (docs/operations.md): answers, a file that does not answer, the last lines. */
const SLOWEST_STOP_S = 20;

/** Assignments of one section of a unit, by name, in order. Throws on a line that is none. */
function unitOf(text: string): Map<string, Map<string, string[]>> {
  const sections = new Map<string, Map<string, string[]>>();
  let section: Map<string, string[]> | undefined;
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, header] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (header !== undefined) {
      section = new Map<string, string[]>();
      sections.set(header, section);
    } else if (name === undefined || section === undefined) throw new Error(`no assignment: ${line}`);
    else section.set(name, [...(section.get(name) ?? []), value!]);
  }
  return sections;
}

describe('deploy/', () => {
  it.each(files)('%s is plain text, holds no secret and names no host of a registry', (name) => {
    const text = read(name);
    expect(text).toMatch(/[^\n]\n$/);
    expect(text).not.toMatch(/\t|\r|[ \t]$/m);
    const longest = name.endsWith('.json') ? Number.POSITIVE_INFINITY : 125;
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(longest);
    expect(text).not.toMatch(/ck-[\w-]|(?=[A-Za-z+/]{0,31}\d)[A-Za-z0-9+/]{32}|-----BEGIN|password/i);
    const withoutLabels = text.replaceAll(/\b[\w.-]+\.io\/(metadata\.name|name|scrape|port)\b/g, '');
    expect(withoutLabels).not.toMatch(/[a-z0-9-]+\.[a-z]{2,}\/[\w./-]+:|ghcr|docker\.io|quay|gcr\.io/i);
  });

  it('every image has a version, and ours is this one', () => {
    const images = files.flatMap((name) =>
      [...read(name).matchAll(/^ *(?:- )?image: (.*)$/gm)].map((match) => match[1]!),
    );
    expect(images.length).toBeGreaterThan(4);
    expect(images.filter((image) => !/^[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z]+)?$/.test(image))).toEqual([]);
    const ours = images.filter((image) => image.startsWith('chroma-sync-gateway:'));
    expect(new Set(ours)).toEqual(new Set([`chroma-sync-gateway:${VERSION}`]));
    const tags = files.flatMap((name) =>
      [...read(name).matchAll(/newTag: (.*)$/gm)].map((match) => match[1]),
    );
    expect(new Set(tags)).toEqual(new Set([VERSION]));
  });
});

describe('the image', () => {
  const text = read('deploy/Dockerfile');
  const values = (instruction: string) =>
    [...text.matchAll(new RegExp(`^${instruction} (.*)$`, 'gm'))].map((match) => match[1]!);

  it('listens where the table says, sets variables that there are, and asks by a command that there is', () => {
    expect(values('EXPOSE')).toEqual([String(VARIABLES.PORT.default)]);
    const names = values('ENV').flatMap((line) => line.split(' ').map((pair) => pair.split('=')[0]!));
    expect(names.filter((name) => ![...VARIABLE_NAMES, ...FOREIGN].includes(name as never))).toEqual([]);
    const [, check = ''] = /CMD (\[.*\])$/.exec(values('HEALTHCHECK')[0]!) ?? [];
    const [node, entry, command] = JSON.parse(check) as string[];
    expect(JSON.parse(values('ENTRYPOINT')[0]!)).toEqual([node, entry]);
    expect(HELP).toContain(`  chroma-sync-gateway ${command} `);
  });

  it('takes any Node image, copies the package alone and runs nothing', () => {
    expect(values('ARG')).toEqual([expect.stringMatching(/^BASE=node:24-/)]);
    expect(values('FROM')).toEqual([`\${BASE}`]);
    expect(values('COPY')).toEqual([expect.stringMatching(/ dist\/ \/app\/$/)]);
    expect(values('RUN')).toEqual([]);
    expect(read('deploy/Dockerfile.dockerignore')).toMatch(/^\*\n!dist\n/m);
  });
});

describe('the systemd unit', () => {
  const service = unitOf(read('deploy/chroma-sync-gateway.service')).get('Service')!;
  const one = (name: string) => service.get(name)?.at(-1) ?? '';
  const variables = Object.fromEntries(
    service
      .get('Environment')!
      .flatMap((line) => line.split(' ').map((pair) => pair.split(/=(.*)/) as [string, string])),
  );

  it('sets variables that there are, and they are a configuration that starts', () => {
    expect(Object.keys(variables).filter((name) => !VARIABLE_NAMES.includes(name as never))).toEqual([]);
    const secrets = Object.fromEntries(service.get('LoadCredential')!.map((line) => line.split(':')));
    const asked: string[] = [];
    const config = parseConfig(variables, 'node', (path) => {
      const [, name = ''] = /^%d\/(.+)$/.exec(path) ?? [];
      asked.push(name);
      expect(secrets).toHaveProperty(name);
      return 'x'.repeat(44);
    });
    expect(asked.sort()).toEqual(Object.keys(secrets).sort());
    expect(config).toMatchObject({ auth: { kind: 'grant' }, store: { kind: 'sqlite' } });
  });

  it('keeps its file in the folder that systemd makes for it', () => {
    expect(variables.CACHE_STORE_URL).toMatch(`sqlite:/var/lib/${one('StateDirectory')}/`);
    expect([one('DynamicUser'), one('StateDirectoryMode'), one('ProtectSystem')]).toEqual([
      'yes',
      '0700',
      'strict',
    ]);
    const etc = [
      ...service.get('LoadCredential')!.map((line) => line.split(':')[1]!),
      one('EnvironmentFile').slice(1),
    ];
    for (const path of etc) expect(path).toMatch(/^\/etc\/chroma-sync-gateway\/[a-z-]+$/);
  });

  it('starts the package’s command, and not again when the command or its environment is wrong', () => {
    const [node, entry, ...rest] = one('ExecStart').split(' ');
    expect([node, rest]).toEqual(['/usr/bin/node', []]);
    expect(entry).toBe('/opt/chroma-sync-gateway/cli.js');
    const statuses = /^Exit status: (.*)$/m.exec(HELP)![1]!;
    expect(one('Restart')).toBe('on-failure');
    const named = [...statuses.matchAll(/(\d+) (?:wrong usage|a bad environment)/g)].map((match) => match[1]);
    expect(one('RestartPreventExitStatus').split(' ')).toEqual(named);
    expect(named).toHaveLength(2);
  });

  it('leaves a stop its time, and watches their descriptors', () => {
    const delayS = VARIABLES.SHUTDOWN_DELAY_MS.default / 1_000;
    expect(Number(one('TimeoutStopSec'))).toBeGreaterThanOrEqual(SLOWEST_STOP_S + delayS);
    expect(Number(one('LimitNOFILE'))).toBeGreaterThan(2 * VARIABLES.WATCH_MAX.default);
  });
});

it('the page that tells how to run it names only variables that there are', () => {
  const page = read('docs/operations.md');
  const commands = page.slice(page.indexOf('## Install'), page.indexOf('## Sidecar'));
  const names = [...commands.matchAll(/(?:-e |name: |^|`)([A-Z][A-Z_]+)(?==|[,`])/gm)].map(
    (match) => match[1]!,
  );
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !VARIABLE_NAMES.includes(name as never))).toEqual([]);
});
