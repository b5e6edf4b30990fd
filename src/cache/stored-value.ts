/**
 * One entry as the bytes that a durable tier keeps, the same on every tier. Stored bytes are a trust
 * border: format version, checksum and id are inside the value, and whatever does not add up is
 * `undefined`, never an exception and never an answer. May not do I/O.
 *
 * `1 RANK ANSWERED_AT CHECKSUM ID\nBODY`, where RANK is `rankOf` (3 is terminal) and ANSWERED_AT epoch ms:
 * a script in the store can compare two values by these two and needs no JSON.
 */
import { hash } from 'node:crypto';
import { type InvocationId, rankOf } from '../domain/job.ts';
import type { Lifetimes } from '../domain/lifetime.ts';
import { parseJob } from '../domain/parse-job.ts';
import { readUtf8 } from '../domain/utf8.ts';
import { createEntry, type Entry } from './entry.ts';

/** Part of every key and table name too, so that two versions of the gateway on one store never meet. */
export const FORMAT_VERSION = 1;

/** No value is longer, in bytes or characters: four times the largest body that upstream may send. */
export const MAX_VALUE_BYTES = 1_048_576;

const HEADER = /^1 ([1-3]) (\d{1,15}) ([A-Za-z0-9_-]{22}) ([0-9a-f-]{36})$/;

/** `undefined` for what is never kept durably: a 404, or a body beyond the bound. */
export function encodeEntry(id: InvocationId, entry: Entry): string | undefined {
  const { answer } = entry;
  if (answer.kind !== 'job') return undefined;
  const rank = rankOf(answer.status);
  const answeredAt = Math.max(0, Math.trunc(entry.answeredAt));
  const text = `${FORMAT_VERSION} ${rank} ${answeredAt} ${checksum(id, rank, answeredAt, answer.body)} ${id}\n${answer.body}`;
  // A UTF-16 unit takes at most three bytes; only near the bound is it worth counting.
  if (text.length * 3 > MAX_VALUE_BYTES && Buffer.byteLength(text) > MAX_VALUE_BYTES) return undefined;
  return text;
}

/**
 * The entry that `encodeEntry` was given, with the windows of time that hold today.
 * @param stored what the store returned: text or its UTF-8 bytes; anything else is `undefined` too
 */
export function decodeEntry(id: InvocationId, stored: unknown, lifetimes: Lifetimes): Entry | undefined {
  const text = textOf(stored);
  const end = text?.indexOf('\n') ?? -1;
  if (text === undefined || end < 0) return undefined;
  const [, rankText, atText, sum, storedId] = HEADER.exec(text.slice(0, end)) ?? [];
  if (storedId !== id) return undefined;
  const body = text.slice(end + 1);
  const rank = Number(rankText);
  const answeredAt = Number(atText);
  if (sum !== checksum(id, rank, answeredAt, body)) return undefined;
  const job = parseJob(id, body);
  // A status that this version ranks otherwise was written by one that knew less or more: ask again.
  if (typeof job === 'string' || rankOf(job.status) !== rank) return undefined;
  return createEntry(job, answeredAt, lifetimes);
}

/**
 * A partition's name on a shared store: 22 characters of a fixed alphabet whatever the partition holds
 * (colon, quote, NUL, a megabyte), so that no key can be read two ways and none can carry a secret.
 */
export function partitionName(partition: string): string {
  return digest(`partition\0${partition}`);
}

function checksum(id: string, rank: number, answeredAt: number, body: string): string {
  return digest(`${FORMAT_VERSION} ${rank} ${answeredAt} ${id}\n${body}`);
}

/** 132 bits: far beyond an accident, short in a key. */
function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

function textOf(stored: unknown): string | undefined {
  if (typeof stored === 'string') return stored.length > MAX_VALUE_BYTES ? undefined : stored;
  if (!(stored instanceof Uint8Array) || stored.byteLength > MAX_VALUE_BYTES) return undefined;
  return readUtf8(stored, 'kept'); // the checksum saw every byte
}
