/** Builds the Worker as it would be deployed, and what a page loads, prints their sizes, and fails when one outgrows its bound. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pageBundle } from './page-bundle.ts';

const MAX_WORKER_GZIP = 64 * 1024;
const MAX_PAGE_GZIP = 7.5 * 1024;
const ROOT = join(import.meta.dirname, '..');

execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', 'dist/worker'], {
  env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', CI: 'true' },
  stdio: ['ignore', 'ignore', 'inherit'],
});
weigh('The Worker', readFileSync('dist/worker/main.js'), MAX_WORKER_GZIP);
weigh('The client with its hook', await pageBundle(ROOT), MAX_PAGE_GZIP);

function weigh(what: string, code: Uint8Array | string, bound: number): void {
  const bytes = gzipSync(code, { level: 9 }).byteLength;
  const kib = (size: number) => `${(size / 1024).toFixed(1)} KiB`;
  console.log(`${what}: ${kib(bytes)} minified and gzipped (at most ${kib(bound)})`);
  if (bytes <= bound) return;
  console.error(`${what} has outgrown its bound.`);
  process.exitCode = 1;
}
