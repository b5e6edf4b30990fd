/** The SQLite tier on a disk that fails or stalls: a small library, preloaded, plays the disk. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const compiler = spawnSync('cc', ['--version']).status === 0 && process.platform === 'linux';
if (!compiler) {
  const message = 'no C compiler on Linux: the sick-disk tests did not run (apt-get install gcc libc6-dev)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}
const SUPPORT = join(import.meta.dirname, '../../../support');

describe.skipIf(!compiler)('the SQLite tier on a sick disk', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'csg-sick-'));
    const build = ['-shared', '-fPIC', '-o', join(folder, 'sick.so'), join(SUPPORT, 'sick-disk.c'), '-ldl'];
    expect(spawnSync('cc', build, { stdio: 'inherit' }).status).toBe(0);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function live(illness: string, ms: number) {
    const word = join(folder, `word-${illness}`);
    const args = [join(SUPPORT, 'sick-writer.ts'), join(folder, `${illness}.db`), word, illness, String(ms)];
    const env = { ...process.env, SICK_DISK: word, LD_PRELOAD: join(folder, 'sick.so') };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return JSON.parse(stdout);
  }

  it.each([
    ['ENOSPC', 'disk full'],
    ['EIO', 'input/output error'],
    ['EROFS', /read-only|input\/output error/],
  ])('%s at run: served from memory, told once, written when it heals (#99)', async (illness, trouble) => {
    const life = await live(illness, 1_500);
    expect(life.ill.ok).toBe(false);
    expect(life.ill.trouble).toMatch(trouble);
    expect(life.served).toBe(life.put);
    expect(life.reports.map(({ ok }: { ok: boolean }) => ok)).toEqual([false, true]);
    expect(life).toMatchObject({ healed: true, kept: life.put, knownKept: true });
  });

  it.each(['ENOSPC-at-boot', 'EIO-at-boot', 'EROFS-at-boot'])(
    '%s: starts, serves, heals (#99)',
    async (illness) => {
      const life = await live(illness, 500);
      expect(life.served).toBe(life.put);
      expect(life.reports.map(({ ok }: { ok: boolean }) => ok)).toEqual([false, true]);
      expect(life).toMatchObject({ healed: true, kept: life.put });
    },
  );

  it('a sync that stalls for 5 s: the event loop does not notice, and nothing is lost (#102)', async () => {
    const life = await live('stall', 8_000);
    expect(life.p99Ms).toBeLessThan(50);
    expect(life.served).toBe(life.put);
    expect(life.kept).toBe(life.put);
    expect(life.reports[0]).toEqual({ tier: 'sqlite', ok: false, trouble: 'too slow' });
  }, 60_000);
});
