import { expect, it } from 'vitest';
import { isTooOld, nodeWarnings } from '../../../src/node/version.ts';

it.each([
  ['18.20.8', true],
  ['20.20.2', true],
  ['22.18.99', true],
  ['22.19.0', false],
  ['22.23.3', false],
  ['24.0.0', false],
  ['26.10.0', false],
  ['27.0.0-nightly', false],
])('Node %s is too old: %s', (version, tooOld) => {
  expect(isTooOld(version)).toBe(tooOld);
});

it.each([
  ['22.23.1', 1],
  ['22.23.2', 0],
  ['23.11.1', 1],
  ['24.18.0', 1],
  ['24.18.1', 0],
  ['25.9.0', 1],
  ['26.5.0', 1],
  ['26.5.1', 0],
  ['28.0.0', 0],
])('Node %s: %i warnings of known holes', (version, count) => {
  expect(nodeWarnings(version)).toHaveLength(count);
  for (const warning of nodeWarnings(version)) expect(warning).toContain(version);
});
