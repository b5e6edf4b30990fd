/** What of others is bundled into the package, as its two lists have it (contract §15). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { VERSION } from '../../src/domain/version.ts';
import { builtPackage } from '../support/package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let read: (name: string) => string;
beforeAll(async () => {
  const { installed } = await builtPackage();
  read = (name) => readFileSync(join(installed, name), 'utf8');
});

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly dependencies?: Record<string, string> }>
  >;
}

describe('what the package has of others', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  const component = z.strictObject({
    type: z.literal('library'),
    name: z.string(),
    version: z.string(),
    purl: z.string(),
    licenses: z.array(z.strictObject({ license: z.strictObject({ id: z.string() }) })),
  });
  /** As far as CycloneDX 1.6 asks for something, and we give it. */
  const bomShape = z.strictObject({
    bomFormat: z.literal('CycloneDX'),
    specVersion: z.literal('1.6'),
    version: z.number(),
    metadata: z.object({
      component: z.object({ type: z.literal('application'), name: z.string(), version: z.string() }),
    }),
    components: z.array(component),
  });
  const bom = () => bomShape.parse(JSON.parse(read('sbom.cdx.json')));

  /** What of development's packages is bundled: the client's one. */
  const FOR_PAGES = 'eventsource-parser';

  /** All that the gateway's own dependencies bring, and they themselves. */
  function reachable(): Set<string> {
    const found = new Set<string>();
    const visit = (name: string) => {
      if (found.has(name)) return;
      found.add(name);
      Object.keys(lock.packages[`node_modules/${name}`]?.dependencies ?? {}).forEach(visit);
    };
    [...Object.keys(lock.packages['']!.dependencies!), FOR_PAGES].forEach(visit);
    return found;
  }

  it('is in a list for scanners: each package once, in the version of the lock file', () => {
    const { components, metadata } = bom();
    expect(metadata.component.version).toBe(VERSION);
    const names = components.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !reachable().has(name))).toEqual([]);
    const direct = [...Object.keys(lock.packages['']!.dependencies!), FOR_PAGES];
    expect(direct.filter((name) => !names.includes(name))).toEqual([]);
    for (const { name, version, purl, licenses } of components) {
      expect([name, version]).toEqual([name, lock.packages[`node_modules/${name}`]!.version]);
      expect(purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${version}`);
      expect(licenses[0]!.license.id).toMatch(/^[\w.-]+$/);
    }
  });

  it('is in a list for people, each with the text of its license or at least the name', () => {
    const parts = read('THIRD-PARTY.txt')
      .split(`${'-'.repeat(80)}\n`)
      .slice(1);
    expect(parts).toHaveLength(bom().components.length);
    for (const [i, { name, version, licenses }] of bom().components.entries()) {
      const [title, , ...text] = parts[i]!.split('\n');
      expect(title).toBe(`${name} ${version}, ${licenses[0]!.license.id}`);
      expect(text.join('\n')).toMatch(/copyright|permission|license|SPDX: [\w.-]+/i);
    }
  });
});
