import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { openSqliteStore } from '../../../../src/stores/sqlite/store.ts';
import { COMPLETE, entryOf, lifetimes } from '../../../support/jobs.ts';

const ROUNDS = 20;
const STORMS_A_ROUND = 50;
/** The contract's promise. */
const DURABLE_MS = 250;
const STORM = join(import.meta.dirname, '../../../support/storm.ts');

it('kill -9 in the middle of 1,000 write storms: the file is whole, and every answer older than 250 ms is there (#101)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'csg-crash-'));
  const path = join(folder, 'cache.db');
  const promised: InvocationId[] = [];
  let storms = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      // Every other round two processes share the file, and both are killed.
      const processes = [startStorms(path), ...(round % 2 === 1 ? [startStorms(path)] : [])];
      await Promise.all(processes.map(({ stormed }) => stormed));
      for (const { child } of processes) child.kill('SIGKILL');
      const killedAt = Date.now();
      await Promise.all(processes.map(({ child }) => once(child, 'close')));
      for (const { lines } of processes) {
        storms += lines.length;
        for (const [putAt, ...ids] of lines)
          if (Number(putAt) < killedAt - DURABLE_MS) promised.push(...(ids as InvocationId[]));
      }
      expect(integrityOf(path), `round ${round}`).toBe('ok');
    }
    expect(storms).toBeGreaterThanOrEqual(ROUNDS * STORMS_A_ROUND);

    const store = await openSqliteStore({ path, partition: 'storm', lifetimes, report: () => {} });
    let lost = 0;
    for (const id of promised) {
      const entry = await store.get(id);
      if (entry === undefined) lost++;
      else if (entry.etag !== entryOf(id, COMPLETE, 1, id.repeat(10)).etag) expect.fail('altered');
    }
    await store.close();
    expect(promised.length).toBeGreaterThan(1_000);
    expect(lost).toBe(0);
    expect(readdirSync(folder)).toEqual(['cache.db']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 180_000);

/** `stormed` resolves at a random moment after a round's share of storms. */
function startStorms(path: string): { child: ChildProcess; lines: string[][]; stormed: Promise<void> } {
  const child = spawn(process.execPath, [STORM, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[][] = [];
  const stormed = new Promise<void>((resolve) => {
    let rest = '';
    child.stdout.on('data', (chunk) => {
      const parts = (rest + String(chunk)).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) lines.push(line.split(' '));
      if (lines.length >= STORMS_A_ROUND) setTimeout(resolve, Math.random() * 400);
    });
  });
  return { child, lines, stormed };
}

function integrityOf(path: string): unknown {
  using database = new DatabaseSync(path);
  return database.prepare('PRAGMA integrity_check').get()?.integrity_check;
}
