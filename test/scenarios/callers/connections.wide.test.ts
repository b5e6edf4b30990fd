/** Stopping Node's parser leans on names of its own (#144): the same suite on every Node that is named. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeConnections } from '../../support/connection-suite.ts';

for (const name of ['node22', 'node26']) {
  const path = fileURLToPath(new URL(`../../runtimes/node_modules/${name}/bin/node`, import.meta.url));
  if (existsSync(path)) describeConnections(name, path);
  else
    it(`${name} is not installed: run npm ci --prefix test/runtimes`, ({ skip }) => {
      if (process.env.CI !== 'true') skip();
      expect(existsSync(path)).toBe(true);
    });
}
