/** A run's folder for what is known of `docs/openapi.yaml` and what was seen of it: `vitest.config.ts` names this file. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import { scratchFolder } from '../scratch.ts';
import { documentFile, FOLDER } from './document.ts';

/** What a run begins and ends with. */
export default function setup(): () => void {
  const folder = scratchFolder('gateway-openapi');
  process.env[FOLDER] = folder;
  const text = readFileSync(new URL('../../../docs/openapi.yaml', import.meta.url), 'utf8');
  writeFileSync(documentFile(), JSON.stringify(parse(text)));
  return () => rmSync(folder, { recursive: true, force: true });
}
