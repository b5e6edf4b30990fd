/** What the demo's page is told (contract §16): which jobs there are, and honest numbers. By a hand-moved clock. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMeter } from '../../demo/meter.ts';
import { createShowcase, FIRST, type Showcase } from '../../demo/showcase.ts';
import { welcome } from '../../demo/welcome.ts';
import type { JobSpec } from '../../simulator/jobs.ts';

let now = 0;
beforeEach(() => {
  now = 1_000_000;
});

describe('the jobs that are shown', () => {
  let created: JobSpec[];
  let showcase: Showcase;
  beforeEach(() => {
    created = [];
    showcase = createShowcase(
      (spec) => {
        created.push(spec);
        return spec.id ?? `new-${created.length}`;
      },
      () => now,
    );
  });
  const ids = () => showcase.jobs().map(({ id }) => id);

  it('begin with three whose ids and ends are what the demo prints', () => {
    expect(ids()).toEqual([FIRST.completes, FIRST.fails, FIRST.isCancelled]);
    const ends = created.map(({ kind, schedule }) => [kind, schedule?.outcome, schedule?.finishAfterMs]);
    expect(ends).toEqual([
      ['web_scrape', 'cancelled', 10_000],
      ['s3', 'failed', 15_000],
      ['github', undefined, 20_000],
    ]);
  });

  it('name the newest that runs, until none does', () => {
    expect(showcase.running()).toBe(FIRST.completes);
    now += 18_000;
    expect(showcase.running(1_999)).toBe(FIRST.completes);
    expect(showcase.running(2_000)).toBeUndefined();
    now += 2_000;
    expect(showcase.running()).toBeUndefined();
    expect(showcase.add()).toBe(true);
    expect(showcase.running()).toBe(ids()[0]);
  });

  it('are eight at most, and no more than eight run at once', () => {
    const added = Array.from({ length: 9 }, () => showcase.add());
    expect(added).toEqual([true, true, true, true, true, false, false, false, false]);
    now += 60_000;
    expect(showcase.add()).toBe(true);
    expect(ids()).toHaveLength(8);
    expect(ids()).not.toContain(FIRST.isCancelled);
  });

  it('are retried when they have failed: a new job of the same source that completes, and says of which it is the retry', () => {
    expect(showcase.retry(FIRST.fails), 'runs still').toBeUndefined();
    now += 15_000;
    expect(showcase.retry(FIRST.completes), 'does not fail').toBeUndefined();
    expect(showcase.retry('nobody')).toBeUndefined();
    expect(created).toHaveLength(3);
    expect(showcase.retry(FIRST.fails)).toBe(true);
    expect(showcase.jobs()[0]).toEqual({ id: 'new-4', retryOf: FIRST.fails });
    expect(created[3]).toEqual({
      kind: 's3',
      collectionName: 'handbook',
      schedule: { finishAfterMs: 12_000 },
    });
  });
});

describe('the numbers', () => {
  it('are what was counted per second, and for polling half of what is watched, whatever a tick has taken', async () => {
    let watched = 0;
    let asked = 10;
    const read = createMeter({ watches: async () => watched, asked: () => asked, clock: () => now });
    now += 1_000;
    expect(await read()).toEqual({
      watches: 0,
      asked: 10,
      wouldHaveAsked: 0,
      seconds: [{ polling: 0, asked: 0 }],
    });
    watched = 100;
    asked = 16;
    now += 2_000;
    const reading = await read();
    expect(reading).toMatchObject({ watches: 100, asked: 16, wouldHaveAsked: 100 });
    expect(reading.seconds[1]).toEqual({ polling: 50, asked: 3 });
  });

  it('are those of the last minute', async () => {
    const read = createMeter({ watches: async () => 0, asked: () => 0, clock: () => now });
    for (let i = 0; i < 70; i += 1) await read();
    expect((await read()).seconds).toHaveLength(60);
  });
});

it('what the README says that the demo prints is what it prints where its ports are free', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [page, gateway] = ['http://127.0.0.1:8788', 'http://127.0.0.1:8787'];
  const printed = welcome({ page, gateway, chroma: 'http://127.0.0.1:1', takenPorts: [] });
  const lines = printed.split('\n').map((line) => line.trim());
  const quoted = lines.filter((line) => line !== '' && readme.includes(line));
  expect(quoted).toEqual([
    `${page}/`,
    `grant=$(curl -s ${page}/grant)`,
    `curl -i -H "Authorization: Bearer $grant" ${gateway}/api/v1/invocations/${FIRST.completes}`,
  ]);
  expect(readme).toContain(`'${gateway}/api/v1/invocations/events?id=${FIRST.completes}'`);
});
