/** One table of variables: the parser, the README and `.dev.vars.example` say what it says. */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { withTable } from '../../../scripts/readme-table.ts';
import { MEANINGS, VARIABLE_NAMES, VARIABLES, type Variable } from '../../../src/config/variables.ts';
import { MIN_SECRET_BYTES } from '../../../src/domain/grant.ts';
import { LOG_LEVELS } from '../../../src/telemetry/log.ts';
import { badNamesOf, problemsOf, read } from '../../support/config.ts';

const readRoot = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const ROWS = VARIABLE_NAMES.map((name): [string, Variable] => [name, VARIABLES[name]]);

describe('the table', () => {
  it.each(ROWS.filter(([, row]) => row.default !== undefined))(
    '%s: setting the default is the same as setting nothing',
    (name, row) => {
      const env = { AUTH: 'grant', GRANT_SECRET: 'x'.repeat(MIN_SECRET_BYTES) };
      expect(read({ ...env, [name]: String(row.default) })).toEqual(read(env));
    },
  );

  it.each(ROWS.filter(([, row]) => row.min !== undefined))(
    '%s: its bounds are the ones that are refused and told',
    (name, { min = 0, max = 0 }) => {
      expect(badNamesOf({ [name]: String(min) })).toEqual([]);
      expect(badNamesOf({ [name]: String(max) })).toEqual([]);
      const refusal = [`${name}: must be a whole number from ${min} to ${max}`];
      expect(problemsOf({ [name]: String(min - 1) })).toEqual(refusal);
      expect(problemsOf({ [name]: String(max + 1) })).toEqual(refusal);
    },
  );

  it.each(ROWS)('%s: a known name, never taken for a typo', (name) => {
    expect(problemsOf({ [name]: 'CANARY' }).join()).not.toContain('is not a variable of ours');
  });

  it.each(Object.entries(MEANINGS))('%s: its meaning is one line without a full stop', (_name, meaning) => {
    expect(meaning).toMatch(/^[^\n|]+[^.\s]$/);
    expect(meaning.split('`').length % 2).toBe(1);
  });

  it('its words name the numbers and levels of the code', () => {
    expect(MEANINGS.GRANT_SECRET).toContain(`at least ${MIN_SECRET_BYTES} bytes`);
    expect(problemsOf({ AUTH: 'grant', GRANT_SECRET: 'x' })[0]).toContain(
      `at least ${MIN_SECRET_BYTES} bytes`,
    );
    const levels = [...MEANINGS.LOG_LEVEL.matchAll(/`(\w+)`/g)].map(([, level]) => level);
    expect(levels).toEqual(Object.keys(LOG_LEVELS));
  });
});

describe('README.md', () => {
  const readme = readRoot('README.md');

  it('has the table as it is (`node scripts/readme-table.ts` writes it)', () => {
    expect(withTable(readme)).toBe(readme);
  });

  it('would be written anew after any change, and nothing but the table', () => {
    const changed = readme.replace('| `PORT` | `8787` |', '| `PORT` | `80` |');
    expect(changed).not.toBe(readme);
    expect(withTable(changed)).toBe(readme);
    expect(withTable(readme.replace(/^\| `AUTH` .*\n/m, ''))).toBe(readme);
    expect(() => withTable('no table')).toThrow('no table');
  });
});

describe('.dev.vars.example', () => {
  const example = parseEnv(readRoot('.dev.vars.example'));

  it('has every secret that Workers know, and what must be chosen there', () => {
    const secrets = ROWS.filter(([, row]) => row.isSecret && !row.isNodeOnly).map(([name]) => name);
    expect(Object.keys(example).sort()).toEqual([...secrets, 'AUTH'].sort());
  });

  it('starts nothing as it stands: no open gateway, no secret that everybody knows', () => {
    expect(badNamesOf(example, { runtime: 'workers' })).toEqual(['GRANT_SECRET']);
  });

  it('starts when its secret is filled in', () => {
    const filled = { ...example, GRANT_SECRET: 'x'.repeat(MIN_SECRET_BYTES) };
    expect(read(filled, { runtime: 'workers' }).auth.kind).toBe('grant');
  });
});
