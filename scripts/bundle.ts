/** Builds the Worker as it would be deployed, prints its size, and fails when the Worker outgrows its bound. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const MAX_WORKER_GZIP = 64 * 1024;

execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', 'dist/worker'], {
  env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', CI: 'true' },
  stdio: ['ignore', 'ignore', 'inherit'],
});

const gzipped = (path: string) => gzipSync(readFileSync(path), { level: 9 }).byteLength;
const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
const worker = gzipped('dist/worker/main.js');
console.log(`worker bundle: ${kib(worker)} minified and gzipped (at most ${kib(MAX_WORKER_GZIP)})`);
if (worker > MAX_WORKER_GZIP) {
  console.error('The Worker has outgrown its bound.');
  process.exitCode = 1;
}
