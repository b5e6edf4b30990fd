import { describe, expect, test } from 'vitest';
import { coverOf, covers, type Grant, parseClaims, parseGrantSecrets } from '../../../src/domain/grant.ts';
import { type InvocationId, type JobScope, parseInvocationId } from '../../../src/domain/job.ts';
import { parseJob } from '../../../src/domain/parse-job.ts';

const NOW = 1_795_435_200_000;
const ID = id('3c90c3cc-0d44-4b50-8888-8dd25736052a');
const OTHER = id('11111111-2222-4333-8444-555555555555');
const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';

function id(text: string): InvocationId {
  return parseInvocationId(text)!;
}

function parse(claims: Record<string, unknown>, expected: { audience?: string; issuer?: string } = {}) {
  const complete = { aud: 'chroma-sync-gateway', exp: NOW / 1_000 + 60, ...claims };
  return parseClaims(complete, { audience: 'chroma-sync-gateway', ...expected }, NOW);
}

function grantOf(read: unknown): Grant {
  const term = parse({ read });
  if (typeof term === 'string') throw new Error(term);
  return term.grant;
}

function scopeOf(fields: Record<string, unknown>): JobScope {
  const job = parseJob(
    ID,
    JSON.stringify({ id: ID, status: 'pending', created_at: 1, metadata: {}, ...fields }),
  );
  if (typeof job === 'string') throw new Error(job);
  return job.scope;
}

describe('what a grant covers', () => {
  test('any one list is enough, and each reads its own field', () => {
    const scope = { sourceId: SOURCE, databaseName: 'production', collectionName: 'acme-docs' };
    for (const read of [
      { invocations: [ID] },
      { sources: [SOURCE] },
      { databases: ['production'] },
      { collections: ['acme-docs'] },
    ]) {
      expect(covers(grantOf(read), ID, scope), JSON.stringify(read)).toBe(true);
    }
    for (const read of [
      { invocations: [OTHER, SOURCE] },
      { sources: [ID, 'production', 'acme-docs'] },
      { databases: ['acme-docs', SOURCE] },
      { collections: ['production', SOURCE] },
    ]) {
      expect(covers(grantOf(read), ID, scope), JSON.stringify(read)).toBe(false);
    }
  });

  test('what a job does not say matches no list', () => {
    const grant = grantOf({
      sources: ['', 'undefined'],
      databases: ['undefined'],
      collections: ['undefined'],
    });
    expect(covers(grant, ID, {})).toBe(false);
  });

  test('the id alone decides, before any lookup, for a grant of invocations only', () => {
    expect(coverOf(grantOf({ invocations: [ID] }), ID)).toBe('covered');
    expect(coverOf(grantOf({ invocations: [ID], sources: [], databases: [] }), OTHER)).toBe('uncovered');
    expect(coverOf(grantOf({ invocations: [ID], databases: ['production'] }), ID)).toBe('covered');
    expect(coverOf(grantOf({ invocations: [ID], databases: ['production'] }), OTHER)).toBe('depends-on-job');
    expect(coverOf(grantOf('*'), OTHER)).toBe('covered');
  });

  test('without `read`, or with nothing in it, nothing is covered', () => {
    for (const read of [undefined, {}, { invocations: [] }]) {
      expect(coverOf(grantOf(read), ID)).toBe('uncovered');
      expect(covers(grantOf(read), ID, { databaseName: 'production' })).toBe(false);
    }
  });

  test('#41 only exact ids match, case folded; names keep their case', () => {
    const covered = (entry: string) => coverOf(grantOf({ invocations: [entry] }), ID) === 'covered';
    expect(covered(ID.toUpperCase())).toBe(true);
    for (const trick of [
      ID.slice(0, 8),
      ID.slice(0, -1),
      `${ID} `,
      `${ID}0`,
      `${ID.slice(0, -1)}*`,
      `${ID},${OTHER}`,
      `${ID}\0`,
      '*',
      '.*',
      '%',
      '',
    ]) {
      expect(covered(trick), JSON.stringify(trick)).toBe(false);
    }
    expect(covers(grantOf({ sources: [SOURCE.toUpperCase()] }), ID, { sourceId: SOURCE })).toBe(true);
    expect(covers(grantOf({ sources: [SOURCE] }), ID, scopeOf({ source_id: SOURCE.toUpperCase() }))).toBe(
      true,
    );
    expect(covers(grantOf({ databases: ['Production'] }), ID, { databaseName: 'production' })).toBe(false);
  });

  test('#41 a star is everything only as the whole of `read`', () => {
    const starred = grantOf({ invocations: ['*'], sources: ['*'], databases: ['*'], collections: ['*'] });
    expect(covers(starred, ID, { sourceId: SOURCE, databaseName: 'd', collectionName: 'c' })).toBe(false);
    for (const read of ['**', '* ', 'all', '', ['*'], true, 1, null]) {
      expect(parse({ read }), JSON.stringify(read)).toBe('wrong_claims');
    }
  });

  test('#41 a string where a list belongs, or anything but strings in it, is no grant', () => {
    for (const list of [ID, '*', null, 1, { 0: ID, length: 1 }, [ID, 1], [[ID]], [null]]) {
      expect(parse({ read: { invocations: list } }), JSON.stringify(list)).toBe('wrong_claims');
    }
  });

  test('#41 over 1,000 entries in all is no grant', () => {
    const entries = (count: number) => Array.from({ length: count }, (_, index) => `name-${index}`);
    expect(parse({ read: { databases: entries(500), collections: entries(500) } })).toBeTypeOf('object');
    expect(parse({ read: { databases: entries(500), collections: entries(501) } })).toBe('wrong_claims');
    expect(parse({ read: { invocations: entries(10_000) } })).toBe('wrong_claims');
  });

  test('a list from the future grants nothing and spoils nothing', () => {
    const grant = grantOf({ invocations: [ID], tenants: ['acme'], everything: true, __proto__: { a: 1 } });
    expect(coverOf(grant, ID)).toBe('covered');
    expect(coverOf(grant, OTHER)).toBe('uncovered');
  });
});

describe('which claims are good', () => {
  const seconds = NOW / 1_000;

  test('#36 `exp` is required, a positive finite number', () => {
    for (const exp of [undefined, null, `${seconds + 60}`, 0, -1, -0, Infinity, NaN, [seconds + 60], true]) {
      expect(parse({ exp }), String(exp)).toBe('wrong_claims');
    }
    expect(parse(JSON.parse('{"exp":1e400}'))).toBe('wrong_claims');
    expect(parse({ exp: 1e300 })).toBeTypeOf('object');
  });

  test('#36 clocks may disagree by less than 30 s: 29 is fine, 30 and 31 are not', () => {
    expect(parse({ exp: seconds - 29 })).toMatchObject({ endsAt: NOW + 1_000 });
    expect(parse({ exp: seconds - 30 })).toBe('expired');
    expect(parse({ exp: seconds - 31 })).toBe('expired');
    for (const claim of ['nbf', 'iat']) {
      expect(parse({ [claim]: seconds + 29 }), claim).toBeTypeOf('object');
      expect(parse({ [claim]: seconds + 30 }), claim).toBeTypeOf('object');
      expect(parse({ [claim]: seconds + 31 }), claim).toBe('not_yet_valid');
      for (const value of [`${seconds}`, null, true, [seconds], JSON.parse('1e400')]) {
        expect(parse({ [claim]: value }), `${claim} ${value}`).toBe('wrong_claims');
      }
    }
  });

  test('#37 `aud` must name us, alone or among others', () => {
    expect(parse({ aud: ['somebody', 'chroma-sync-gateway'] })).toBeTypeOf('object');
    for (const aud of [
      undefined,
      'somebody',
      '',
      'chroma-sync-gateway-2',
      'CHROMA-SYNC-GATEWAY',
      [],
      ['a'],
    ]) {
      expect(parse({ aud }), JSON.stringify(aud)).toBe('wrong_audience');
    }
    for (const aud of [null, 1, { 0: 'chroma-sync-gateway' }, ['chroma-sync-gateway', 1]]) {
      expect(parse({ aud }), JSON.stringify(aud)).toBe('wrong_claims');
    }
    expect(parse({ aud: 'mine' }, { audience: 'mine' })).toBeTypeOf('object');
  });

  test('#37 `iss` must match where one is configured, and does not matter where none is', () => {
    const issuer = 'https://id.example/';
    expect(parse({ iss: issuer }, { issuer })).toBeTypeOf('object');
    for (const iss of [undefined, 'https://id.example', [issuer], null, '']) {
      expect(parse({ iss }, { issuer }), JSON.stringify(iss)).toBe('wrong_issuer');
      expect(parse({ iss })).toBeTypeOf('object');
    }
  });

  test('#36 `expired` is said only when that is all that is wrong', () => {
    const exp = seconds - 60;
    expect(parse({ exp })).toBe('expired');
    expect(parse({ exp, aud: 'somebody' })).toBe('wrong_audience');
    expect(parse({ exp, iss: 'x' }, { issuer: 'y' })).toBe('wrong_issuer');
    expect(parse({ exp, nbf: seconds + 60 })).toBe('not_yet_valid');
    expect(parse({ exp, read: 'all' })).toBe('wrong_claims');
  });

  test('claims that are no object are refused', () => {
    for (const claims of [null, 1, 'text', [], true, undefined]) {
      expect(parseClaims(claims, { audience: 'x' }, NOW)).toBe('wrong_claims');
    }
  });
});

test('a list of secrets is as good as its shortest one', () => {
  const long = 'x'.repeat(32);
  expect(parseGrantSecrets(long)).toEqual([long]);
  expect(parseGrantSecrets(` ${long}y ,\n${long}\n`)).toEqual([`${long}y`, long]);
  expect(parseGrantSecrets('é'.repeat(16))).toEqual(['é'.repeat(16)]);
  for (const text of ['', ' ', ',', 'x'.repeat(31), `${long},`, `${long},short`, ` ${'x'.repeat(31)} `]) {
    expect(parseGrantSecrets(text), JSON.stringify(text)).toBeUndefined();
  }
});
