/**
 * The query of Chroma's lists, after its OpenAPI text: what is asked for, or what is wrong with it. Knows no job.
 */
import * as z from 'zod';
import { jobKind, jobState } from './jobs.ts';

// The OpenAPI names the types of `status`, `source_type` and `order_by` but not how a query spells them.
const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const listQuery = z
  .object({
    source_id: z.guid().toLowerCase().optional(),
    database_name: z.string().optional(),
    source_type: jobKind.optional(),
    status: jobState.optional(),
    limit: wholeNumber.default(100),
    offset: wholeNumber.default(0),
    order_by: z
      .string()
      .toUpperCase()
      .pipe(z.enum(['ASC', 'DESC']))
      .default('DESC'),
  })
  .refine((asked) => asked.source_id === undefined || asked.database_name === undefined, {
    message: 'source_id and database_name cannot be provided simultaneously',
  });

/** Which ones, how many, from where on, in which order of creation. */
export type ListAsk = z.output<typeof listQuery>;

/** A parameter that the OpenAPI does not name is ignored. Returns what is wrong as one line of text. */
export function readListQuery(query: URLSearchParams): ListAsk | string {
  const twice = Object.keys(listQuery.shape).find((name) => query.getAll(name).length > 1);
  if (twice !== undefined) return `duplicate field \`${twice}\``;
  const { data, error } = listQuery.safeParse(Object.fromEntries(query));
  return data ?? error?.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ') ?? '';
}

/** One page of what was found, which is in order of creation. */
export function pageOf<T>(found: readonly T[], { limit, offset, order_by: order }: ListAsk): T[] {
  return (order === 'ASC' ? found : found.toReversed()).slice(offset, offset + limit);
}
