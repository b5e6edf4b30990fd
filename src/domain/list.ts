/**
 * The list of jobs (contract §12): what may be asked for, and what upstream's answer must be like. Pure: a query is judged
 * as it came, and written anew from nothing but what was understood. Safe in a browser.
 */
import type { ListFlaw } from './flaw.ts';
import { foldUuid, isObject, parseInvocationId, parseStatus } from './job.ts';

/**
 * A query in the one form that upstream gets and that everything is kept by:
 * `[source_id=…&|database_name=…&]limit=…&offset=…&order_by=…`.
 */
export type ListQuery = string & { readonly __brand: 'ListQuery' };

/** What is asked for. */
export interface ListRequest {
  readonly query: ListQuery;
  /** The container, folded by `foldUuid`; at most one of the two. */
  readonly sourceId?: string | undefined;
  readonly databaseName?: string | undefined;
  /** 1 … 200. */
  readonly limit: number;
}

/** Upstream's array as it came. */
export interface List {
  readonly kind: 'list';
  readonly body: string;
  /** One of its jobs has a status that we do not know. */
  readonly hasUnrecognised: boolean;
}

/**
 * As large as a job may be (contract §5). A larger list has a turn of the event loop to itself for each thing that is done
 * with all of it, where others share one (#200).
 */
export const LARGE_LIST_BYTES = 256 * 1_024;

const MAX_LIMIT = 200;
const DEFAULT_LIMIT = 100;
const MAX_OFFSET = 1_000_000;
const MAX_NAME_LENGTH = 512;
const PARAMETERS: readonly string[] = ['source_id', 'database_name', 'limit', 'offset', 'order_by'];

/** @param raw a query as it came, without the question mark. `undefined` for what is not to the letter of contract §12 */
export function parseListRequest(raw: string): ListRequest | undefined {
  const given = parametersOf(raw);
  if (given === undefined) return undefined;
  const { source_id: source, database_name: databaseName, order_by: order = 'DESC' } = given;
  const sourceId = source === undefined ? undefined : parseInvocationId(source);
  const limit = wholeNumber(given.limit, 1, MAX_LIMIT, DEFAULT_LIMIT);
  const offset = wholeNumber(given.offset, 0, MAX_OFFSET, 0);
  if (source !== undefined && (sourceId === undefined || databaseName !== undefined)) return undefined;
  if (databaseName !== undefined && !isName(databaseName)) return undefined;
  if (limit === undefined || offset === undefined || (order !== 'ASC' && order !== 'DESC')) return undefined;
  const container =
    sourceId !== undefined
      ? `source_id=${sourceId}&`
      : databaseName === undefined
        ? ''
        : `database_name=${encoded(databaseName)}&`;
  const query = `${container}limit=${limit}&offset=${offset}&order_by=${order}` as ListQuery;
  return { query, sourceId, databaseName, limit };
}

/** Each that is known, at most once; `undefined` for anything else, or what is not well encoded. */
function parametersOf(raw: string): Readonly<Record<string, string>> | undefined {
  if (/[^\x21-\x7e]/.test(raw)) return undefined; // a URL has no other characters
  const given: Record<string, string> = {};
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decoded(at < 0 ? pair : pair.slice(0, at));
    const value = decoded(at < 0 ? '' : pair.slice(at + 1));
    if (name === undefined || value === undefined) return undefined;
    if (!PARAMETERS.includes(name) || Object.hasOwn(given, name)) return undefined;
    given[name] = value;
  }
  return given;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** An apostrophe too, as `fetch` would (URL standard, "special-query percent-encode set"): both runtimes ask for the same. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll("'", '%27');
}

/** In plain decimal: no sign, no leading zero. */
function wholeNumber(text: string | undefined, min: number, max: number, unset: number): number | undefined {
  if (text === undefined) return unset;
  if (!/^(?:0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const number = Number(text);
  return number >= min && number <= max ? number : undefined;
}

function isName(text: string): boolean {
  const { length } = Array.from(text);
  return length >= 1 && length <= MAX_NAME_LENGTH && !/\p{Cc}/u.test(text);
}

/**
 * Parses once to decide; the text itself is kept untouched. `foreign_job`: a job that does not name the container, which
 * must not be shown to whoever may see that one.
 */
export function parseList(query: ListQuery, body: string): List | ListFlaw {
  let jobs: unknown;
  try {
    jobs = JSON.parse(body);
  } catch {
    return 'not_json';
  }
  const { sourceId, databaseName, limit } = parseListRequest(query)!;
  if (!Array.isArray(jobs) || jobs.length > limit) return 'wrong_shape';
  let hasUnrecognised = false;
  for (const job of jobs as readonly unknown[]) {
    if (!isJob(job)) return 'wrong_shape';
    if (sourceId !== undefined && !isOfSource(job, sourceId)) return 'foreign_job';
    if (databaseName !== undefined && !isOfDatabase(job, databaseName)) return 'foreign_job';
    hasUnrecognised ||= parseStatus(job.status) === 'unrecognised';
  }
  return { kind: 'list', body, hasUnrecognised };
}

function isJob(job: unknown): job is Readonly<Record<string, unknown>> {
  if (!isObject(job) || !Object.hasOwn(job, 'status')) return false;
  return typeof job.id === 'string' && parseInvocationId(job.id) !== undefined;
}

function isOfSource({ source_id: source }: Readonly<Record<string, unknown>>, sourceId: string): boolean {
  return typeof source === 'string' && foldUuid(source) === sourceId;
}

function isOfDatabase({ metadata }: Readonly<Record<string, unknown>>, name: string): boolean {
  return isObject(metadata) && metadata.database_name === name;
}
