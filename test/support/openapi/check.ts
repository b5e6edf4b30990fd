/** Holds JSON values against the schemas of an OpenAPI text. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** What is wrong with the value, one line per complaint; empty when it satisfies the schema. */
export type Check = (schema: Readonly<Record<string, unknown>>, value: unknown) => string[];

/** @param schemas the text's `components.schemas`, for references */
export function createCheck(schemas: unknown): Check {
  const compiled = new Map<string, z.ZodType>();
  // OpenAPI keeps its schemas where JSON Schema does not look for them.
  const moved = (value: unknown) => JSON.stringify(value).replaceAll('#/components/schemas/', '#/$defs/');
  const $defs = JSON.parse(moved(schemas)) as Record<string, never>;
  const check: Check = (schema, value) => {
    // Each by itself: of an intersection zod lets a field pass that one part allows.
    if (Array.isArray(schema.allOf))
      return schema.allOf.flatMap((part) => check(part as typeof schema, value));
    const text = moved(schema);
    const type = compiled.get(text) ?? z.fromJSONSchema({ ...(JSON.parse(text) as object), $defs });
    compiled.set(text, type);
    const { error } = type.safeParse(value);
    return (error?.issues ?? []).map(({ path, message }) => `${path.join('.') || 'value'}: ${message}`);
  };
  return check;
}

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
const check = createCheck((JSON.parse(text) as { components: { schemas: unknown } }).components.schemas);

/**
 * Against a schema of Chroma's published text, a copy of which lies beside this file. For tests only: the gateway itself
 * must not judge jobs by it, since real web-scrape jobs cannot satisfy it.
 */
export function matchesSchema(name: SchemaName, value: unknown): string[] {
  return check({ $ref: `#/components/schemas/${name}` }, value);
}
