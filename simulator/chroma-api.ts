/**
 * Chroma Sync's own paths, statuses and shapes, after its OpenAPI text: from a request to the reply that an
 * undisturbed service would give. No sockets and no faults; deleting sources, file uploads and latest-by-keys are
 * left out.
 */
import * as z from 'zod';
import { type Jobs, jobKind, type Source } from './jobs.ts';
import { pageOf, readListQuery } from './list-query.ts';

/** `body` is undefined for an empty one. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** `body` is the parsed JSON, undefined when there was none or it was not JSON. */
export interface Ask {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

const CODE_NAMES: Record<number, string> = { 400: 'InvalidArgumentError', 404: 'NotFoundError' };

/** Chroma's error shape. Its servers name few codes and call the other 4xx plain `ChromaError`. */
export function chromaError(status: number, message = `simulated ${status}`): Reply {
  const error = CODE_NAMES[status] ?? (status >= 500 ? 'InternalError' : 'ChromaError');
  return { status, body: { error, message } };
}

const ROUTES: { path: RegExp; methods: Record<string, (jobs: Jobs, ask: Ask, id: string) => Reply> }[] = [
  { path: /^\/health$/, methods: { GET: () => ({ status: 200 }) } },
  { path: /^\/api\/v1\/invocations$/, methods: { GET: listJobs } },
  { path: /^\/api\/v1\/invocations\/([^/]+)$/, methods: { GET: getJob, PUT: cancelJob } },
  { path: /^\/api\/v1\/sources$/, methods: { GET: listSources, POST: createSource } },
  { path: /^\/api\/v1\/sources\/([^/]+)$/, methods: { GET: getSource } },
  { path: /^\/api\/v1\/sources\/([^/]+)\/invocations$/, methods: { POST: createJob } },
];

/** The honest reply. An id that is no UUID is a 400; unknown paths and methods have empty bodies, as axum's do. */
export function answer(jobs: Jobs, ask: Ask): Reply {
  for (const { path, methods } of ROUTES) {
    const match = path.exec(ask.path);
    if (!match) continue;
    const method = methods[ask.method];
    if (!method) return { status: 405, headers: { allow: Object.keys(methods).join(',') } };
    const id = match[1];
    if (id !== undefined && !z.guid().safeParse(id).success) return chromaError(400, 'invalid id');
    return method(jobs, ask, id ?? '');
  }
  return { status: 404 };
}

function getJob(jobs: Jobs, _ask: Ask, id: string): Reply {
  const body = jobs.read(id);
  return body ? { status: 200, body } : chromaError(404, 'invocation not found');
}

function cancelJob(jobs: Jobs, _ask: Ask, id: string): Reply {
  const outcome = jobs.cancel(id);
  if (outcome === 'unknown') return chromaError(404, 'invocation not found');
  if (outcome === 'not pending') return chromaError(412, 'invocation is not in a cancelable state');
  return { status: 202, body: {} };
}

/** A source is there when it was created or a job names it; of databases nothing is known, so that each is there. */
function listJobs(jobs: Jobs, { query }: Ask): Reply {
  const asked = readListQuery(query);
  if (typeof asked === 'string') return chromaError(400, asked);
  const all = jobs.list();
  const { source_id: sourceId, database_name: databaseName } = asked;
  if (sourceId !== undefined && !jobs.source(sourceId) && all.every((job) => job.sourceId !== sourceId)) {
    return chromaError(404, 'Source not found');
  }
  const found = all.filter(
    (job) =>
      (sourceId ?? job.sourceId) === job.sourceId &&
      (databaseName ?? job.databaseName) === job.databaseName &&
      (asked.source_type ?? job.kind) === job.kind &&
      (asked.status ?? job.state) === job.state,
  );
  return { status: 200, body: pageOf(found, asked).map((job) => job.wire()) };
}

function createJob(jobs: Jobs, { body }: Ask, id: string): Reply {
  const source = jobs.source(id);
  if (!source) return chromaError(404, 'source not found');
  const payload = z
    .object({
      object_key: z.string().nullish(),
      custom_id: z.string().max(120).nullish(),
      metadata: z.record(z.string(), z.unknown()).nullish(),
      ref_identifier: z.union([z.object({ sha: z.string() }), z.object({ branch: z.string() })]).nullish(),
      target_collection_name: z.string().nullish(),
    })
    .safeParse(body);
  if (!payload.success) return chromaError(400, 'invalid body');
  const { object_key, custom_id, metadata, ref_identifier, target_collection_name } = payload.data;
  const s3 = source.kind === 's3' ? source.settings : undefined;
  const collectionName = target_collection_name ?? s3?.collection_name;
  if (typeof collectionName !== 'string') return chromaError(400, 'target_collection_name is required');
  if (Boolean(s3) !== Boolean(object_key))
    return chromaError(400, 'object_key is for S3 sources, and required');
  const detail = s3
    ? { bucket_name: s3.bucket_name, object_key, custom_id, additional_metadata: metadata }
    : ref_identifier && { git_ref_identifier: ref_identifier };
  const invocation_id = jobs.add({
    kind: source.kind,
    sourceId: source.id,
    databaseName: source.databaseName,
    collectionName,
    detail: detail ?? {},
  });
  return { status: 201, body: { invocation_id } };
}

const sourcePayload = z
  .object({
    database_name: z.string(),
    github: z.looseObject({ repository: z.string() }).optional(),
    web_scrape: z.looseObject({ starting_url: z.string() }).optional(),
    s3: z
      .looseObject({ bucket_name: z.string(), region: z.string(), collection_name: z.string() })
      .optional(),
  })
  .refine((payload) => jobKind.options.filter((kind) => payload[kind]).length === 1);

function createSource(jobs: Jobs, { body }: Ask): Reply {
  const payload = sourcePayload.safeParse(body);
  const kind = jobKind.options.find((name) => payload.data?.[name]);
  const settings = kind && payload.data?.[kind];
  if (!payload.success || !settings) return chromaError(400, 'invalid body');
  return { status: 201, body: { source_id: jobs.addSource(kind, payload.data.database_name, settings) } };
}

function getSource(jobs: Jobs, _ask: Ask, id: string): Reply {
  const source = jobs.source(id);
  return source ? { status: 200, body: wireSource(source) } : chromaError(404, 'source not found');
}

/** Sources, where the OpenAPI says jobs: its generator gave both lists one schema name, `Vec`. */
function listSources(jobs: Jobs, { query }: Ask): Reply {
  const asked = readListQuery(query);
  if (typeof asked === 'string') return chromaError(400, asked);
  return { status: 200, body: pageOf(jobs.sources(), asked).map(wireSource) };
}

function wireSource(source: Source): Record<string, unknown> {
  const { aws_access_key_id: _id, aws_secret_access_key: _secret, ...settings } = source.settings;
  return {
    id: source.id,
    [source.kind]: settings,
    database_name: source.databaseName,
    embedding_model: { model: 'Qwen/Qwen3-Embedding-0.6B' },
    chunking: { type: 'tree_sitter' },
    embedding: { dense: { model: 'Qwen/Qwen3-Embedding-0.6B' } },
    created_at: new Date(source.createdAt).toISOString(),
  };
}
