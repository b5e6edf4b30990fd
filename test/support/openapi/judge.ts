/** Holds an answer of the gateway against `docs/openapi.yaml`: nothing in it that is not written there, nothing missing. */
import { type Check, createCheck } from './check.ts';
import {
  type CodeTerms,
  codesOf,
  type Document,
  type Operation,
  operationNameOf,
  operationsOf,
  type ResponseTerms,
  resolve,
  type Schema,
} from './document.ts';
import { headerLineOf, lineOf } from './seen.ts';
import type { Exchange } from './wire.ts';

export interface Judge {
  /** What is wrong, one line per complaint. Notes what was seen. */
  complaintsOf(exchange: Exchange): string[];
  /** Lines of `seen.ts`. */
  readonly seen: ReadonlySet<string>;
}

/** HTTP's own, on any answer. */
const FRAMING = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-type',
  'content-length',
  'date',
]);
/** What the HTTP parser refuses by itself. */
const PARSERS_OWN = new Set([400, 408, 413, 431, 501]);

export function createJudge(document: Document): Judge {
  const check = createCheck(closed(document.components.schemas));
  const codes = new Map(codesOf(document).map((terms) => [terms.code, terms]));
  const operations = new Map(operationsOf(document).map((operation) => [operation.name, operation]));
  const seen = new Set<string>();

  function complaintsAs(operation: Operation, exchange: Exchange): string[] {
    const { status, headers } = exchange;
    const given = operation.responses[status];
    if (given === undefined) return [`${operation.name} has no ${status}`];
    const terms = resolve(document, given);
    seen.add(lineOf(operation.name, status, errorCodeIn(exchange)));
    for (const name of Object.keys(terms.headers)) {
      if (name.toLowerCase() in headers) seen.add(headerLineOf(operation.name, status, name));
    }
    return [...headerComplaints(document, check, terms, exchange), ...bodyComplaints(terms, exchange)];
  }

  function bodyComplaints(terms: ResponseTerms, exchange: Exchange): string[] {
    const { method, headers, body, isCut } = exchange;
    const type = headers['content-type'];
    const content = Object.entries(terms.content ?? {})[0];
    if (content?.[0] !== type) return [`content-type: ${type}, not ${content?.[0]}`];
    if (content === undefined || method === 'HEAD') return body === '' ? [] : ['there is a body'];
    const [, { schema, 'x-events': events }] = content;
    if (events !== undefined) return eventComplaints(check, body, events);
    if (isCut) return [];
    const value = JSON.parse(body) as unknown;
    const code = codes.get(errorCodeIn(exchange) ?? '');
    return [
      ...check(narrowed(schema, exchange), value),
      ...(code === undefined ? [] : codeComplaints(code, exchange, value as Record<string, unknown>)),
    ];
  }

  return {
    seen,
    complaintsOf(exchange) {
      const { method, target, status } = exchange;
      if (isRuntimesOwn(exchange)) return [];
      const names = new Set(
        [target, ...normalized(exchange)].map((one) => operationNameOf(document, method, one)),
      );
      const all = [...names].map((name) => complaintsAs(operations.get(name)!, exchange));
      // A platform may have walked the dots of a path before the gateway saw it.
      const least = all.find((complaints) => complaints.length === 0) ?? all[0]!;
      return least.map((complaint) => `${method} ${target} ${status}: ${complaint}`);
    },
  };
}

function headerComplaints(
  document: Document,
  check: Check,
  terms: ResponseTerms,
  { headers }: Exchange,
): string[] {
  const complaints: string[] = [];
  const known = new Set(FRAMING);
  for (const [name, given] of Object.entries(terms.headers)) {
    const { required = false, schema } = resolve(document, given);
    const value = headers[name.toLowerCase()];
    known.add(name.toLowerCase());
    if (value !== undefined)
      complaints.push(...check(schema, value).map((text) => `${name}: ${text} (${value})`));
    else if (required) complaints.push(`no ${name}`);
  }
  const unknown = Object.keys(headers).filter((name) => !known.has(name));
  return [...complaints, ...unknown.map((name) => `an undocumented header, ${name}`)];
}

/** The code's own row: its status, its words, and how long to wait. */
function codeComplaints(
  terms: CodeTerms,
  { status, headers }: Exchange,
  body: Record<string, unknown>,
): string[] {
  const { retryAfter } = terms;
  const seconds = headers['retry-after'];
  const isRight =
    retryAfter === undefined
      ? seconds === undefined
      : Number(seconds) >= retryAfter.atLeast && Number(seconds) <= retryAfter.atMost;
  return [
    ...(['status', 'message', 'retryable'] as const)
      .filter((field) => (field === 'status' ? status : body[field]) !== terms[field])
      .map((field) => `${terms.code}: another ${field}`),
    ...(isRight ? [] : [`${terms.code}: Retry-After ${seconds}, not ${retryAfter?.text}`]),
    ...(body.request_id === headers['x-request-id'] ? [] : [`${terms.code}: another request_id`]),
  ];
}

function eventComplaints(check: Check, body: string, events: Readonly<Record<string, Schema>>): string[] {
  const whole = body.slice(0, body.lastIndexOf('\n\n') + 1).split('\n\n');
  return whole.flatMap((block) => {
    const fields = block
      .split('\n')
      .filter(Boolean)
      .map((line) => /^(\w*):? ?(.*)$/s.exec(line)!.slice(1));
    const of = (wanted: string) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
    const [event] = of('event');
    const strange = fields.filter(([name]) => !['', 'retry', 'event', 'data', 'id'].includes(name!));
    if (strange.length > 0) return [`a strange line in an event: ${block}`];
    if (event === undefined) return of('data').length === 0 ? [] : [`an event without a name: ${block}`];
    const schema = events[event];
    if (schema === undefined) return [`an undocumented event, ${event}`];
    return check(schema, JSON.parse(of('data').join('\n'))).map((text) => `event ${event}: ${text}`);
  });
}

/** The code of an error's body. */
function errorCodeIn({ status, headers, body, isCut }: Exchange): string | undefined {
  if (status < 400 || isCut || body === '' || headers['content-type'] !== 'application/json')
    return undefined;
  const { error } = JSON.parse(body) as { error?: unknown };
  return typeof error === 'string' ? error : undefined;
}

/** To whoever shows a grant for summaries a job is a summary and nothing else. */
function narrowed(schema: Schema, { status, asked }: Exchange): Schema {
  const token = asked('x-chroma-token') ?? asked('authorization')?.split(' ')[1];
  const claims = Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString();
  if (status !== 200 || !/"view":\s*"summary"/.test(claims)) return schema;
  const summary = { $ref: '#/components/schemas/JobSummary' };
  return String(schema.$ref).endsWith('JobList') ? { type: 'array', items: summary } : summary;
}

/** Contract §6: what never came as far as the gateway, and has none of its headers; and too many header fields. */
function isRuntimesOwn({ method, status, headers }: Exchange): boolean {
  if (status === 431) return true;
  return !('x-request-id' in headers) && (PARSERS_OWN.has(status) || method === 'CONNECT');
}

/** The path as workerd may give it to a Worker: of two hosts it takes one. */
function normalized({ target, asked }: Exchange): string[] {
  const hosts = ['gateway', ...(asked('host') ?? '').split(', ')];
  const urls = [target, ...hosts.map((host) => `http://${host}${target}`)];
  return urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).pathname);
}

/** What names its properties and says nothing of others has no others: a field that is not documented is a complaint. */
function closed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, closed(inner)] as const);
  const all = Object.fromEntries(entries) as Record<string, unknown>;
  const isOpen = all.type === 'object' && 'properties' in all && !('additionalProperties' in all);
  return isOpen ? { ...all, additionalProperties: false } : all;
}
