/**
 * The two trust borders that need no socket, twenty thousand times each: no report on an environment
 * holds anything of any value, secret or not (faults #127), and no stored value but a sound one of the very id is
 * ever an entry (#97). A failure prints the seed; `FUZZ_SEED=…` plays the same again, `FUZZ_REQUESTS=…` plays more.
 */
import { describe, expect, it } from 'vitest';
import { createEntry } from '../../src/cache/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/cache/stored-value.ts';
import { parseConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { createCanary } from '../support/canary.ts';
import { markedEnvironment } from '../support/fuzz/marked.ts';
import { createRandom, PRINTABLE } from '../support/fuzz/random.ts';
import { createSpoil } from '../support/fuzz/stored.ts';
import { COMPLETE, entryOf, FAILED, jobOf, lifetimes } from '../support/jobs.ts';

const RUNS = Number(process.env.FUZZ_REQUESTS ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TIMEOUT = 20_000 + RUNS;

/** Everything of an error that somebody may print. */
function reportOn(env: Readonly<Record<string, string>>, runtime: 'node' | 'workers'): string | undefined {
  try {
    parseConfig(env, runtime, (path) => {
      if (path.startsWith('/good')) return path;
      throw new Error(`ENOENT ${path}`);
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [error.message, ...error.problems, String(error.cause), JSON.stringify(error)].join('\n');
  }
}

describe(`fuzz in process, FUZZ_SEED=${SEED}`, () => {
  it('#127 a report on an environment holds nothing of any value', { timeout: TIMEOUT }, () => {
    let reports = 0;
    for (let number = 0; number < RUNS; number++) {
      const random = createRandom(Math.imul(SEED + 1, 0x9e3779b1) ^ number);
      const { env, mark } = markedEnvironment(random);
      const report = reportOn(env, random.pick(['node', 'workers']));
      if (report === undefined) continue;
      reports++;
      // A URL's host is given back in lower case.
      const leak = createCanary(mark).findIn(report) ?? (report.toLowerCase().includes(mark) && 'plain');
      if (leak)
        expect.fail(`${leak}: FUZZ_SEED=${SEED}, environment ${number} ${JSON.stringify(env)}\n${report}`);
    }
    expect(reports).toBeGreaterThan(RUNS / 4);
  });

  it('#97 a spoilt stored value is never an entry, a sound one always', { timeout: TIMEOUT }, () => {
    const random = createRandom(SEED);
    const statuses = [COMPLETE, FAILED, 'cancelled', 'pending', 'napping'];
    const pool = Array.from({ length: 200 }, (_, at) => {
      const id = random.uuid() as InvocationId;
      const entry = entryOf(id, random.pick(statuses), at * 1_000, random.text(`${PRINTABLE}é\u2028`, 80));
      return { id, entry, value: Buffer.from(encodeEntry(id, entry)!) };
    });
    const others = pool.map(({ value }) => value);
    const spoil = createSpoil(random);
    let [sound, spoilt] = [0, 0];
    for (let number = 0; number < RUNS; number++) {
      const { id, entry, value } = random.pick(pool);
      let stored = spoil(value, others);
      if (!stored.equals(value) && random.chance(0.3))
        stored = spoil(stored.length > 0 ? stored : value, others);
      const isSound = stored.equals(value);
      const given = random.chance(0.5) ? stored : stored.toString();
      const where = `FUZZ_SEED=${SEED}, value ${number} ${JSON.stringify(stored.toString('latin1', 0, 600))}`;
      // What a lossy reading to text makes of broken UTF-8 is another value, and must be a miss as well.
      expect(decodeEntry(id, given, lifetimes), where).toEqual(isSound ? entry : undefined);
      if (isSound) sound++;
      else spoilt++;
    }
    expect(sound).toBeGreaterThan(RUNS / 30);
    expect(spoilt).toBeGreaterThan(RUNS / 2);
  });

  it('#89 #97 a right checksum over the wrong job or rank is no entry', { timeout: TIMEOUT }, () => {
    const random = createRandom(~SEED);
    for (let number = 0; number < RUNS; number++) {
      const [id, other] = [random.uuid(), random.uuid()] as [InvocationId, InvocationId];
      const job = jobOf(id, COMPLETE);
      const body = random.pick([
        jobOf(other, COMPLETE).body,
        jobOf(id, random.pick(['pending', 'napping'])).body,
        job.body.slice(0, random.int(job.body.length)),
        `[${job.body}]`,
        random.text(PRINTABLE, 60),
      ]);
      const forged = encodeEntry(id, createEntry({ ...job, body }, number, lifetimes))!;
      expect(decodeEntry(id, forged, lifetimes), `FUZZ_SEED=${SEED} ${forged}`).toBeUndefined();
    }
  });
});
