/** The package on the oldest versions of Node that it has something for: `npm ci --prefix test/runtimes` brings them. */
import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { copyOfProject } from '../support/package.ts';

const run = promisify(execFile);
const nodeOf = (name: string) =>
  fileURLToPath(new URL(`../runtimes/node_modules/${name}/bin/node`, import.meta.url));
const isThere = existsSync(nodeOf('node20'));

let project: string | undefined;
afterAll(() => {
  if (project !== undefined) rmSync(project, { recursive: true });
});

/** What a script of the project prints. */
async function print(node: string, script: string): Promise<string> {
  project ??= await copyOfProject(['react']);
  const args = ['--input-type=commonjs', '-e', script];
  return (await run(nodeOf(node), args, { cwd: project, timeout: 20_000 })).stdout;
}

const GRANT = `require('chroma-sync-gateway/grant')
  .signGrant({ secret: 'x'.repeat(32), read: '*', expiresIn: '1m' }).then((grant) => console.log(grant.length > 50))`;
const PAGES = `const { createClient, GatewayError } = require('chroma-sync-gateway/client');
  const { useInvocation } = require('chroma-sync-gateway/react');
  createClient({ url: 'http://127.0.0.1:1/' }).wait('no id').catch((error) =>
    console.log(error instanceof GatewayError, error.code, typeof useInvocation));`;
const GATEWAY = `const gateway = require('chroma-sync-gateway').createGateway({ CHROMA_API_KEY: 'k', AUTH: 'none' });
  gateway.fetch(new Request('http://localhost/healthz'))
    .then(({ status }) => console.log(status)).then(() => gateway.close());`;

it.skipIf(isThere)('old Nodes: not tried, as test/runtimes is not installed', () => {});

describe.runIf(isThere)('on an old Node', () => {
  it.each(['node20', 'node22', 'node26'])('#208 require() of ./grant works on %s', async (node) => {
    expect(await print(node, GRANT)).toBe('true\n');
  });

  it.each(['node20', 'node22', 'node26'])(
    '#208 require() of ./client and ./react works on %s',
    async (node) => {
      expect(await print(node, PAGES)).toBe('true invalid_id function\n');
    },
  );

  it.each(['node22', 'node26'])('#208 require() of the gateway works on %s', async (node) => {
    expect(await print(node, GATEWAY)).toBe('200\n');
  });

  it('the command says on Node 20 that it is too old', async () => {
    expect(await runCommand([], { node: nodeOf('node20') })).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(
        /^chroma-sync-gateway needs Node 22\.19\.0 or newer, this is 20\.\d+\.\d+\n$/,
      ) as string,
    });
  });
});
