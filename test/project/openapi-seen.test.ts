/**
 * Every kind of answer in `docs/openapi.yaml` is one that scenarios get, or is named here with the reason why none can. Runs
 * after all other tests (`vitest.config.ts`), each of which has left what it saw.
 */
import { describe, expect, it } from 'vitest';
import { readDocument } from '../support/openapi/document.ts';
import { documentedLines, scenariosMissing, seenSoFar } from '../support/openapi/seen.ts';

const missing = scenariosMissing();
if (missing.length > 0 && process.env.CI === 'true') throw new Error(`not run: ${missing.join(', ')}`);

describe.skipIf(missing.length > 0)('docs/openapi.yaml and the scenarios, when all of them ran', () => {
  it('names no answer and no header that none of them gets', () => {
    const seen = seenSoFar();
    expect(documentedLines(readDocument()).filter((line) => !seen.has(line))).toEqual([]);
  });
});
