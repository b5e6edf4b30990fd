/**
 * Stored values are a trust border (faults #97): whatever stands in the file or in an object's storage,
 * a caller gets the job of the id it asked for, as upstream once gave it, or as upstream gives it now. A failure
 * prints its seed; `FUZZ_SEED=…` spoils the same values in the same way.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, healthz } from '../support/ask.ts';
import { createCanary } from '../support/canary.ts';
import { createRandom } from '../support/fuzz/random.ts';
import { createSpoil, spoilStored } from '../support/fuzz/stored.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from '../support/gateway.ts';
import { COMPLETE, eventually } from '../support/jobs.ts';
import { answer, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const JOBS = { node: 250, workerd: 80 };
const TIMEOUT = 60_000;

describe.each(RUNTIMES)(`spoilt values on %s, FUZZ_SEED=${SEED}`, (runtime) => {
  const random = createRandom(SEED);
  const folder = mkdtempSync(join(tmpdir(), 'gateway-spoilt-'));
  const ids = Array.from({ length: JOBS[runtime] }, () => random.uuid());
  let upstream: RawUpstream;
  let life = 0;
  beforeAll(async () => {
    upstream = await startRawUpstream();
    // Every life of upstream says so in its answers; they are terminal, so each should be the only one.
    upstream.script((request) => answer(request, { status: COMPLETE, life, text: 'Ünïcode \u2028' }));
  });
  afterAll(async () => {
    await upstream.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const file = join(folder, 'answers');
  const start = (): Promise<Gateway> =>
    runtime === 'node'
      ? startNode(upstream.url, { CACHE_STORE_URL: `sqlite:${file}` })
      : startWorkerd(upstream.url, {}, { persistTo: folder });

  /** Each id's answer, sixteen callers at a time, by what it tells of the life it came from. */
  async function askAll(gateway: Gateway): Promise<Map<string, number>> {
    const lives = new Map<string, number>();
    const left = [...ids];
    const caller = async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) {
        const { status, text } = await ask(gateway.url, id);
        expect(status, `FUZZ_SEED=${SEED} ${id} ${text}`).toBe(200);
        const job = JSON.parse(text) as { id: string; life: number; text: string };
        expect([job.id, job.text], `FUZZ_SEED=${SEED}`).toEqual([id, 'Ünïcode \u2028']);
        lives.set(id, job.life);
      }
    };
    await Promise.all(Array.from({ length: 16 }, caller));
    return lives;
  }

  it('#97 a spoilt value is a miss, a sound one a hit, and nothing is ever a 500', {
    timeout: TIMEOUT,
  }, async () => {
    let gateway = await start();
    await askAll(gateway);
    // Contract §5: what was answered is in the store by then. workerd knows no graceful end.
    await new Promise((resolve) => setTimeout(resolve, 250));
    await gateway.stop();
    life = 1;
    const sound = spoilStored(runtime, runtime === 'node' ? file : folder, createSpoil(random));
    expect(sound.size).toBeGreaterThan(0);
    expect(sound.size).toBeLessThan(JOBS[runtime] * 0.5);

    gateway = await start();
    const before = upstream.requests();
    const lives = await askAll(gateway);
    let anew = 0;
    for (const [id, from] of lives) {
      anew += from;
      if (sound.has(id)) expect(from, `FUZZ_SEED=${SEED} ${id} was sound`).toBe(0);
      // What is added behind a serialized value nobody reads: on workerd such a value is sound as well.
      else if (runtime === 'node') expect(from, `FUZZ_SEED=${SEED} ${id} was spoilt`).toBe(1);
    }
    expect(anew).toBeGreaterThan(ids.length / 3);
    expect(upstream.requests() - before).toBe(anew);
    expect(await healthz(gateway.url)).toBe(200);
    // What workerd says of a value that it cannot read is its own.
    const loud = gateway.logs().filter(({ level, msg }) => level === 'fatal' || msg === 'internal error');
    expect(loud).toEqual([]);
    expect(createCanary(TOKEN).findIn(gateway.printed())).toBeUndefined();
    await gateway.stop();

    // What was spoilt has been written anew: upstream is asked for nothing any more.
    life = 2;
    gateway = await start();
    const asked = upstream.requests();
    expect(new Set((await askAll(gateway)).values())).toEqual(new Set([0, 1]));
    await eventually(() => upstream.requests() - asked > 0, 50);
    expect(upstream.requests() - asked).toBe(0);
    await gateway.stop();
    expect(createCanary(TOKEN).findInFiles(folder)).toBeUndefined();
  });

  it.runIf(runtime === 'node')(
    '#100 a file that is spoilt as a whole is moved aside and built anew',
    async () => {
      for (let round = 0; round < 3; round++) {
        const bytes = readFileSync(file);
        for (let flips = random.int(2_000); flips >= 0; flips--)
          bytes[random.int(bytes.length)] = random.int(256);
        writeFileSync(file, random.chance(0.3) ? bytes.subarray(0, random.int(bytes.length)) : bytes);
        const gateway = await start();
        await askAll(gateway);
        expect(gateway.printed()).not.toMatch(/internal error|"level":"fatal"/);
        await gateway.stop();
      }
    },
  );
});
