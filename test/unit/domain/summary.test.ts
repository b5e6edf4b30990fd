/** The summary view, over everything that upstream's schema can say of a job, and beyond it; contract §11, #201. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { summaryOfJob, summaryOfList } from '../../../src/domain/summary.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const AT = '2026-11-26T18:24:47.123456Z';

/** No text of upstream's that is not named in the contract looks like this. */
const secret = fc.string({ maxLength: 12 }).map((text) => `canary ${text}`);
/** JSON of any shape; whatever text it has is a secret. */
const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    secret,
    fc.constantFrom(null, true, false, 0, -1, 1.5),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(secret, tie('value'), { maxKeys: 3 }),
  ),
})).value;

const kind = fc.oneof(
  fc.record({
    github: fc.record({
      git_ref_identifier: fc.oneof(fc.record({ sha: secret }), fc.record({ branch: secret })),
    }),
  }),
  fc.record({
    s3: fc.record({
      bucket_name: secret,
      object_key: fc.option(secret),
      custom_id: fc.option(secret),
      additional_metadata: fc.option(fc.dictionary(secret, anything)),
    }),
  }),
);
/** Everything but what the summary is made of. */
const rest = fc
  .tuple(
    fc.oneof(
      fc
        .tuple(kind, secret, secret, fc.dictionary(secret, anything))
        .map(([of, database_name, collection_name, more]) => ({
          ...of,
          database_name,
          collection_name,
          ...more,
        })),
      anything,
    ),
    fc.option(fc.uuid()),
    fc.dictionary(secret, anything),
  )
  .map(([metadata, source_id, more]) => ({ metadata, source_id, ...more }));

const instant = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
  .map((date) => date.toISOString());
/** A status as upstream sends it, and as the summary shows it. */
const status: fc.Arbitrary<readonly [unknown, unknown]> = fc.oneof(
  fc.constantFrom('pending', 'processing', 'cancelled').map((word) => [word, word] as const),
  fc
    .tuple(
      fc.option(instant, { nil: undefined }),
      fc.option(fc.nat(), { nil: undefined }),
      fc.dictionary(secret, anything),
    )
    .map(([finished_at, duration_ms, more]) => {
      const shown = {
        ...(finished_at !== undefined && { finished_at }),
        ...(duration_ms !== undefined && { duration_ms }),
      };
      return [{ complete: { ...more, ...shown } }, { complete: shown }] as const;
    }),
  fc
    .tuple(anything, fc.dictionary(secret, anything))
    .map(([error, more]) => [{ failed: { error, ...more } }, { failed: { error: 'failed' } }] as const),
  anything.map((value) => [value, 'unrecognised'] as const),
  fc
    .tuple(fc.constantFrom('complete', 'failed'), fc.oneof(secret, fc.constantFrom(null, 1, true, [])))
    .map(([tag, value]) => [{ [tag]: value }, 'unrecognised'] as const),
  anything.map((value) => [{ paused: value }, 'unrecognised'] as const),
  anything.map((value) => [{ failed: {}, paused: value }, 'unrecognised'] as const),
);

describe('#201 the summary', () => {
  it('says of any job its id, its state, its instants and its length, in this order, and nothing else', () => {
    fc.assert(
      fc.property(fc.uuid(), rest, status, instant, (id, more, [sent, shown], created_at) => {
        const summary = summaryOfJob(JSON.stringify({ ...more, status: sent, created_at, id }));
        expect(summary).toBe(
          JSON.stringify({ id, source_id: null, status: shown, created_at, metadata: {} }),
        );
        expect(summary).not.toContain('canary');
      }),
      { numRuns: 2_000 },
    );
  });

  it('of a list is the list of its members’ summaries', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uuid(), rest, status, instant), { maxLength: 5 }), (jobs) => {
        const bodies = jobs.map(([id, more, [sent], created_at]) =>
          JSON.stringify({ ...more, status: sent, created_at, id }, undefined, 1),
        );
        expect(summaryOfList(`[\n${bodies.join(' ,')}\t]`)).toBe(`[${bodies.map(summaryOfJob).join(',')}]`);
      }),
    );
  });

  const created = (value: string) =>
    JSON.parse(summaryOfJob(`{"id":"${ID}","status":"pending","metadata":{},"created_at":${value}}`))
      .created_at;
  it.each(['2026-11-26T18:24:47Z', '2026-11-26 18:24:47.5+02:00', '0'.repeat(40)])(
    'shows the instant %s',
    (at) => {
      expect(created(`"${at}"`)).toBe(at);
    },
  );
  it.each([
    ['a word', '"yesterday"'],
    ['nothing', '""'],
    ['41 characters', `"${'0'.repeat(41)}"`],
    ['a line more', `"${AT}\\n"`],
    ['a line before', `"x\\n${AT}"`],
    ['other digits', '"٢٠٢٦"'],
    ['a number', '1795717487'],
    ['null', 'null'],
    ['an object', `{"at":"${AT}"}`],
    ['a list of one', `["${AT}"]`],
  ])('shows null for %s in an instant’s place', (_what, value) => {
    expect(created(value)).toBeNull();
  });

  const end = (complete: string) =>
    JSON.parse(
      summaryOfJob(`{"id":"${ID}","status":{"complete":${complete}},"created_at":null,"metadata":1}`),
    ).status;
  it.each([
    [`{"finished_at":"${AT}","duration_ms":12}`, { finished_at: AT, duration_ms: 12 }],
    [`{"duration_ms":0.5,"finished_at":"${AT}"}`, { finished_at: AT, duration_ms: 0.5 }],
    ['{"finished_at":"soon","duration_ms":"12"}', {}],
    ['{"finished_at":null,"duration_ms":1e400}', {}],
    [`{"__proto__":{"duration_ms":1,"finished_at":"${AT}"}}`, {}],
    ['{}', {}],
  ])('shows of the end %s each only if it is there and right', (complete, shown) => {
    expect(end(complete)).toEqual({ complete: shown });
  });

  it('shows the last of two fields of one name, as every parser does, and neither’s text', () => {
    const body = `{"id":"${ID}","status":{"failed":{"error":"canary"}},"status":"pending","created_at":"canary","created_at":"${AT}","metadata":{}}`;
    expect(summaryOfJob(body)).toBe(
      `{"id":"${ID}","source_id":null,"status":"pending","created_at":"${AT}","metadata":{}}`,
    );
  });
});
