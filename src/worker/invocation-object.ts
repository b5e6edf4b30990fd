/**
 * One Durable Object per invocation: the read-through over its own storage, with Chroma as the source. And one per list
 * that is asked for, of the same class: what it keeps, it keeps in memory.
 */
import { DurableObject } from 'cloudflare:workers';
import { createCoalesce } from '../cache/coalesce.ts';
import type { Lookup } from '../cache/read-through.ts';
import { composeChroma } from '../chroma.ts';
import { parseConfig } from '../config/config.ts';
import { sourced } from '../domain/answer.ts';
import { asFailure, Failure } from '../domain/errors.ts';
import { type InvocationId, parseInvocationId } from '../domain/job.ts';
import { parseListRequest } from '../domain/list.ts';
import { composeLists, composeLookups, createMemory, type Lists, type Lookups } from '../lookups.ts';
import { createObjectReplies, MAX_HOLD_MS, type ObjectReply, type Told } from '../stores/object/protocol.ts';
import { createObjectStore } from '../stores/object/storage.ts';
import type { Log } from '../telemetry/log.ts';
import { createFetchTransport } from '../upstream/fetch-transport.ts';
import { holdUntilChange } from '../watch/held.ts';
import { createWorkerLog, foreign } from './log.ts';

/** What the Worker needs beside the variables of contract §3. */
export interface Bindings extends Readonly<Record<string, unknown>> {
  readonly INVOCATIONS: DurableObjectNamespace<InvocationObject>;
}

/** With the longest hold less than the 30 s that the contract allows. */
const REMEMBER_WATCH_MS = 9_000;

/** The object of an invocation, or of a list: asks Chroma for every isolate, and keeps a terminal answer for ever. */
export class InvocationObject extends DurableObject<Bindings> {
  readonly #lookups: Lookups;
  readonly #lists: Lists;
  readonly #replyOf = createObjectReplies();
  /** Apart: an isolate's breaker never sees these, so they must not make a lookup's failure secondhand. */
  readonly #watchReplyOf = createObjectReplies();
  readonly #log: Log;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const config = parseConfig(env, 'workers');
    const memory = createMemory(config);
    this.#log = createWorkerLog(config);
    const chroma = composeChroma(config, {
      log: this.#log,
      transport: createFetchTransport(fetch),
      foreign,
    });
    const parts = {
      ...memory,
      log: this.#log,
      createLoads: createCoalesce,
      watching: { perSecond: Infinity, rememberMs: REMEMBER_WATCH_MS },
      store: createObjectStore(ctx.storage.kv, memory.lifetimes),
    };
    this.#lookups = composeLookups(config, chroma, parts);
    this.#lists = composeLists(config, chroma, parts);
  }

  /** What an isolate asks that must not ask upstream now. */
  async recall(key: string): Promise<ObjectReply | undefined> {
    const known = await this.#answersOf(key).recall();
    return known && this.#replyOf(Promise.resolve(known));
  }

  /** As `ObjectStub.purge`. */
  async purge(id: InvocationId): Promise<void> {
    await this.#lookups.purge(id);
  }

  /** As `ObjectStub.watch`. */
  async watch(id: InvocationId, told: Told, holdMs: number): Promise<ObjectReply | undefined> {
    const state = await holdUntilChange(this.#lookups.watch, id, told, Math.min(holdMs, MAX_HOLD_MS));
    if (state === undefined) return undefined;
    const { entry, failure } = state;
    return this.#watchReplyOf(
      entry === undefined
        ? Promise.reject(failure)
        : Promise.resolve({ ...sourced(entry, 'hit', true), failure }),
    );
  }

  /** The Worker's question; its outcome, good or bad, is a plain value. */
  ask(key: string): Promise<ObjectReply> {
    return this.#replyOf(this.#lookup(key));
  }

  /** @throws `internal` for a key that is neither: isolate and object may be of two versions for a while */
  #answersOf(key: string) {
    const id = parseInvocationId(key);
    if (id !== undefined) {
      return { lookup: () => this.#lookups.lookup(id), recall: () => this.#lookups.recall(id) };
    }
    const query = parseListRequest(key)?.query;
    if (query === undefined) throw new Failure('internal', { reason: 'object_key' });
    return { lookup: () => this.#lists.lookup(query), recall: () => this.#lists.recall(query) };
  }

  async #lookup(key: string): Promise<Lookup> {
    try {
      return await this.#answersOf(key).lookup();
    } catch (thrown) {
      // Only the code crosses to the isolate: the stack of what we did not expect is logged here or never.
      const err = asFailure(thrown);
      if (err.code === 'internal')
        this.#log.event('error', 'internal error', { invocationId: parseInvocationId(key), err });
      throw err;
    }
  }
}
