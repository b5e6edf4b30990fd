/** What a caller sees of an answer: all of it, or its summary, made once and bounded; contract §11, #201. */
import { hash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { createEntry } from '../../../src/cache/entry.ts';
import type { Relayed } from '../../../src/domain/answer.ts';
import type { Grant } from '../../../src/domain/grant.ts';
import { createViews, type View } from '../../../src/http/view.ts';
import { COMPLETE, jobOf, lifetimes, newId } from '../../support/jobs.ts';

const FULL: Grant = { read: '*' };
const NARROW: Grant = { read: '*', view: 'summary' };
const MIB = 1_048_576;

function rig(maxBytes = MIB) {
  const viewOf = createViews(maxBytes);
  return (answer: Relayed, grant: Grant | undefined): View =>
    viewOf(answer, createEntry(answer, Date.now(), lifetimes), grant);
}

describe('a view', () => {
  it('is the answer itself for who may see everything', () => {
    const seen = rig();
    const answer = jobOf(newId(), COMPLETE, 'é');
    const { etag, bytes } = createEntry(answer, 0, lifetimes);
    for (const grant of [undefined, FULL]) {
      expect(seen(answer, grant)).toEqual({ body: answer.body, etag, bytes });
    }
  });

  it('#201 that is a summary has the length and the ETag of its own bytes', () => {
    const answer = jobOf(newId(), COMPLETE, 'é');
    const { body, bytes, etag } = rig()(answer, NARROW);
    expect(JSON.parse(body)).toMatchObject({ source_id: null, status: { complete: {} }, metadata: {} });
    expect(bytes).toBe(Buffer.byteLength(body));
    expect(etag).toBe(`"${hash('sha256', body, 'base64url').slice(0, 22)}"`);
    expect(etag).not.toBe(rig()(answer, FULL).etag);
  });

  it('#201 of an answer that came again, and of one that differs only in what is not seen, has the same ETag', () => {
    const seen = rig();
    const id = newId();
    const { etag } = seen(jobOf(id, 'pending', 'one'), NARROW);
    expect(seen(jobOf(id, 'pending', 'one'), NARROW).etag).toBe(etag);
    expect(seen(jobOf(id, 'pending', 'two'), NARROW).etag).toBe(etag);
    expect(seen(jobOf(id, 'processing', 'one'), NARROW).etag).not.toBe(etag);
  });

  it('is made once for an answer, whoever sees it and however often it comes', () => {
    const seen = rig();
    const answer = jobOf(newId(), COMPLETE);
    seen(answer, NARROW);
    const parse = vi.spyOn(JSON, 'parse');
    for (let i = 0; i < 10; i++) seen({ ...answer }, { ...NARROW });
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it('of a list is the summary of each of its jobs', () => {
    const jobs = [jobOf(newId(), 'pending'), jobOf(newId(), COMPLETE)];
    const body = `[${jobs.map((job) => job.body).join(',')}]`;
    const seen = rig();
    expect(seen({ kind: 'list', body, hasUnrecognised: false }, NARROW).body).toBe(
      `[${jobs.map((job) => seen(job, NARROW).body).join(',')}]`,
    );
  });

  it('is made anew where there is no room to keep it', () => {
    const answer = jobOf(newId(), COMPLETE);
    for (const maxBytes of [0, 1, 300]) {
      const seen = rig(maxBytes);
      expect(seen(answer, NARROW)).toEqual(seen(answer, NARROW));
    }
  });
});
