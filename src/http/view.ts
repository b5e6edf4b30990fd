/**
 * What a caller sees of an answer that it may see: all of it, or its summary (contract §11). A summary is made once and
 * kept for whoever else sees it; the bound is a part of the memory that answers have.
 */
import { LRUCache } from 'lru-cache';
import { type Entry, etagOf } from '../cache/entry.ts';
import type { Relayed } from '../domain/answer.ts';
import type { Grant } from '../domain/grant.ts';
import { summaryOfJob, summaryOfList } from '../domain/summary.ts';

/** The bytes that are sent, and what names them. */
export interface View {
  readonly body: string;
  /** Strong, from the body's bytes alone. */
  readonly etag: string;
  /** The body's length in UTF-8. */
  readonly bytes: number;
}

/**
 * @param entry the answer's
 * @param grant the caller's; `undefined`: `AUTH=none`, everything is seen
 */
export type ViewOf = (answer: Relayed, entry: Entry, grant: Grant | undefined) => View;

/** A summary's key, objects and slots beside its text, at most. */
const OVERHEAD_BYTES = 400;

/** @param maxBytes bound on all summaries together */
export function createViews(maxBytes: number): ViewOf {
  // By the whole body's ETag, as a summary is a function of the body: an answer that came again has its summary already.
  const summaries = new LRUCache<string, View>({
    maxSize: Math.max(1, Math.floor(maxBytes)),
    sizeCalculation: ({ bytes }) => OVERHEAD_BYTES + bytes,
  });

  function summaryOf(answer: Relayed, etag: string): View {
    const known = summaries.get(etag);
    if (known !== undefined) return known;
    const body = answer.kind === 'job' ? summaryOfJob(answer.body) : summaryOfList(answer.body);
    const view = { body, etag: etagOf(body), bytes: body.length };
    summaries.set(etag, view);
    return view;
  }

  return (answer, { etag, bytes }, grant) =>
    grant?.view === 'summary' ? summaryOf(answer, etag) : { body: answer.body, etag, bytes };
}
