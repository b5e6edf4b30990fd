/** Whose code is in a bundle: a list of license texts for people, and one of versions for scanners (CycloneDX 1.6). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

interface Bundled {
  readonly name: string;
  readonly version: string;
  /** SPDX. */
  readonly license: string;
  readonly folder: string;
}

/** @param root the folder that the bundles' inputs are named from */
export function licensesOf(
  metafiles: readonly Metafile[],
  root: string,
  version: string,
): { text: string; bom: string } {
  const folders = new Set(
    metafiles.flatMap(({ inputs }) => Object.keys(inputs).flatMap((path) => folderOf(path) ?? [])),
  );
  const packages = [...folders]
    .map((folder) => bundledIn(join(root, folder)))
    .sort((a, b) => `${a.name}@${a.version}`.localeCompare(`${b.name}@${b.version}`));
  return { text: packages.map(textOf).join('\n'), bom: bomOf(packages, version) };
}

/** The innermost package's. */
function folderOf(path: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

function bundledIn(folder: string): Bundled {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Bundled;
  return { name, version, license, folder };
}

function textOf({ name, version, license, folder }: Bundled): string {
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text =
    file === undefined
      ? `(no text in the package; SPDX: ${license})`
      : readFileSync(join(folder, file), 'utf8');
  return `${'-'.repeat(80)}\n${name} ${version}, ${license}\n\n${text.trim()}\n`;
}

function bomOf(packages: readonly Bundled[], version: string): string {
  const purl = (name: string, v: string) => `pkg:npm/${name.replace('@', '%40')}@${v}`;
  const bom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        name: 'chroma-sync-gateway',
        version,
        purl: purl('chroma-sync-gateway', version),
      },
    },
    components: packages.map(({ name, version: v, license }) => ({
      type: 'library',
      name,
      version: v,
      purl: purl(name, v),
      licenses: [{ license: { id: license } }],
    })),
  };
  return `${JSON.stringify(bom, undefined, 2)}\n`;
}
