/**
 * Holds a JSON value against a schema of Chroma's published OpenAPI text, a copy of which lies beside this file.
 * For tests only: the gateway itself must not judge jobs by it, since real web-scrape jobs cannot satisfy it.
 */
import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** Chroma's schema names that the tests need. */
export type SchemaName =
  | 'Job'
  | 'ErrorResponse'
  | 'Vec'
  | 'Source'
  | 'CancelJobResponse'
  | 'CreateJobResponse'
  | 'CreateSourceResponse';

const text = readFileSync(new URL('./sync.openapi.json', import.meta.url), 'utf8');
// OpenAPI keeps its schemas where JSON Schema does not look for them.
const $defs = JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')).components.schemas;
const compiled = new Map<SchemaName, z.ZodType>();

/** What is wrong with the value, one line per complaint; empty when it satisfies the schema. */
export function matchesSchema(name: SchemaName, value: unknown): string[] {
  const schema = compiled.get(name) ?? z.fromJSONSchema({ $ref: `#/$defs/${name}`, $defs });
  compiled.set(name, schema);
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).map((issue) => `${issue.path.join('.') || name}: ${issue.message}`);
}
