/** The programs that the bench compares with or measures with, and where Debian keeps them. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** By the package that has it. */
const DEBIAN_PACKAGES = {
  wrk: 'wrk',
  nginx: 'nginx-light',
  varnishd: 'varnish',
  taskset: 'util-linux',
} as const;

export type Tool = keyof typeof DEBIAN_PACKAGES;

/** Administrators' folders too: they are not on everybody's `PATH`. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The program's whole path, or nothing. */
export function find(tool: Tool): string | undefined {
  return FOLDERS.map((folder) => join(folder, tool)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function has(tool: Tool): boolean {
  return find(tool) !== undefined;
}

const missing = new Set<string>();

/** True when it is there; otherwise {@link missingTools} will name it. */
export function needs(tool: Tool): boolean {
  if (has(tool)) return true;
  missing.add(`${tool} is missing: apt-get install ${DEBIAN_PACKAGES[tool]}`);
  return false;
}

/** The npm packages that only the bench has (`bench/package.json`). */
export function needsPeers(): boolean {
  if (existsSync(fileURLToPath(new URL('node_modules/fastify/package.json', import.meta.url)))) return true;
  missing.add('fastify, express and others are missing: npm install --prefix bench');
  return false;
}

/** nginx's module for streams, and where Debian keeps it. */
export const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

export function needsNchan(): boolean {
  if (needs('nginx') && existsSync(NCHAN)) return true;
  missing.add('nchan is missing: apt-get install nginx-full libnginx-mod-nchan');
  return false;
}

/** Loudly: part of what was asked for is not measured. */
export function leftOut(what: string): void {
  missing.add(what);
}

/** One line each of what was looked for and not found; its rows were skipped. */
export function missingTools(): readonly string[] {
  return [...missing];
}
