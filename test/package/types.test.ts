/** The package's types in projects of others, which have installed nothing else and check everything (contract §15). */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { copyOfProject } from '../support/package.ts';

const bin = (name: string) => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
const run = promisify(execFile);

/** Uses all that there is, and says what must not compile. */
const APPLICATION = `
import { ConfigError, createGateway, type Gateway, type GatewayOptions } from 'chroma-sync-gateway';
import { type Duration, grantRoute, type ReadLists, signGrant } from 'chroma-sync-gateway/grant';

const options: GatewayOptions = { write: (line) => void line.trimEnd() };
const env: Record<string, string | undefined> = { AUTH: 'none' };
export const gateway: Gateway = createGateway(env, options);
export const GET: (request: Request) => Promise<Response> = gateway.fetch;
export const closed: Promise<void> = gateway.close();
export const problemsOf = (error: unknown): readonly string[] =>
  error instanceof ConfigError ? error.problems : [];

const expiresIn: Duration = '15m';
const mine: ReadLists = { invocations: ['3c90c3cc-0d44-4b50-8888-8dd25736052a'] };
export const grant: Promise<string> = signGrant({ secret: 's', read: mine, expiresIn });
export const POST = grantRoute({
  secret: 's',
  expiresIn,
  read: async (request: Request, { invocations }) => (request.headers.has('a') ? { invocations } : undefined),
});
export const answered: Promise<Response> = POST(new Request('https://app.example/'));

// @ts-expect-error a list that nobody knows
void signGrant({ secret: 's', read: { invocation: [] }, expiresIn });
// @ts-expect-error for how long is missing
void signGrant({ secret: 's', read: '*' });
// @ts-expect-error no unit
void signGrant({ secret: 's', read: '*', expiresIn: '15' });
// @ts-expect-error a number is no value of a variable
createGateway({ WATCH_MAX: 7 });
`;

/** Uses all that there is for pages; under `nodenext` as well as in a bundler's project, with React's types or without. */
const PAGE = `
import {
  type Client, type ClientOptions, createClient, GatewayError, type GatewayErrorCode, type GrantSource, type Invocation,
  type ListOptions, type Snapshot, type TerminalInvocation,
} from 'chroma-sync-gateway/client';
import { useInvocation } from 'chroma-sync-gateway/react';

const grant: GrantSource = async (ids: string[]) => ids.join();
const options: ClientOptions = { url: 'https://gateway.example', grant };
export const client: Client = createClient(options);
export const stop: () => void = client.subscribe(undefined, () => {});
export const ended: Promise<TerminalInvocation> = client.wait('id', { signal: new AbortController().signal });
const asked: ListOptions = { sourceId: undefined, databaseName: 'production', limit: 20, offset: 20 };
export const states: Promise<Invocation['state'][]> = client.list(asked).then((jobs) => jobs.map(({ state }) => state));
export const all: Promise<Invocation[]> = client.list();
export async function each(): Promise<void> {
  for await (const job of client.watch('id')) {
    const { createdAt }: { createdAt: Date | undefined } = job;
    void createdAt?.getTime();
  }
}
/** Exhaustive: no case is missing, and nothing comes after. */
export function words(job: Invocation): string {
  switch (job.state) {
    case 'pending': case 'processing': case 'unrecognised': return job.raw.created_at ?? job.state;
    case 'complete': return \`\${job.durationMs ?? 0} ms, \${job.finishedAt?.toISOString()}\`;
    case 'failed': return job.error.trim();
    case 'cancelled': return job.sourceId ?? job.source;
  }
}
export function show(snapshot: Snapshot): Date | GatewayErrorCode | undefined {
  switch (snapshot.phase) {
    case 'idle': case 'loading': return undefined;
    case 'live': return snapshot.isStale ? snapshot.asOf : snapshot.invocation.createdAt;
    case 'settled': return snapshot.asOf;
    case 'error': return snapshot.error.code;
  }
}
export const Row = (id: string) => show(useInvocation(client, id));
export const codeOf = (error: unknown): GatewayErrorCode | undefined => error instanceof GatewayError ? error.code : undefined;

// @ts-expect-error the address is missing
createClient({ grant: '/api/grant' });
// @ts-expect-error upstream's own name of it
void client.list({ source_id: 'id' });
// @ts-expect-error what a list can be ordered by is not the page's to choose
void client.list({ orderBy: 'ASC' });
// @ts-expect-error a loading job is not known
((snapshot: Snapshot) => snapshot.phase === 'loading' && snapshot.invocation.id)
// @ts-expect-error only a failed one has an error's text
((job: Invocation) => job.error.length)
`;

const WORKER = `
import gateway, { InvocationObject, type GatewayEnv } from 'chroma-sync-gateway/worker';
export { InvocationObject };
export class Mine extends InvocationObject {}
export default {
  async fetch(request, env, ctx) {
    const given: GatewayEnv = env;
    return gateway.fetch(request, given, ctx);
  },
} satisfies ExportedHandler<Env>;
`;

const WRANGLER = `
name = "somebodys"
main = "worker.ts"
compatibility_date = "2026-10-23"
[[durable_objects.bindings]]
name = "INVOCATIONS"
class_name = "InvocationObject"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["InvocationObject"]
`;

/** Rejects with what the compiler said. */
async function compile(project: string, files: string[], compilerOptions: object): Promise<void> {
  const strict = { strict: true, skipLibCheck: false, noEmit: true, target: 'es2022', types: [] };
  const tsconfig = { compilerOptions: { ...strict, ...compilerOptions }, files };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(tsconfig));
  await run(bin('tsc'), ['-p', project]).catch(({ stdout }: { stdout: string }) => expect.fail(stdout));
}

const RESOLUTIONS = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
];

it.each(RESOLUTIONS)('an application compiles under $moduleResolution', async (resolution) => {
  const project = await copyOfProject();
  writeFileSync(join(project, 'app.ts'), APPLICATION);
  writeFileSync(join(project, 'page.ts'), PAGE);
  await compile(project, ['app.ts', 'page.ts'], { ...resolution, lib: ['es2022', 'dom'] });
});

it("a Worker that re-exports ours compiles with what `wrangler types` writes for it, and nobody else's", async () => {
  const project = await copyOfProject();
  writeFileSync(join(project, 'worker.ts'), WORKER);
  writeFileSync(join(project, 'wrangler.toml'), WRANGLER);
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true' };
  await run(bin('wrangler'), ['types'], { cwd: project, env });
  // What wrangler writes does not itself compile under nodenext.
  const files = ['worker.ts', 'worker-configuration.d.ts'];
  await compile(project, files, { module: 'esnext', moduleResolution: 'bundler', lib: ['es2024'] });
});
