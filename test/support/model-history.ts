/** Plays one history of the model test: acts on a world, and judges whatever a caller is answered. */
import type { Entry } from '../../src/cache/entry.ts';
import type { MemoryStore } from '../../src/cache/memory-store.ts';
import { asFailure } from '../../src/domain/errors.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { createClock } from './clock.ts';
import { bodyOf, entryOf } from './jobs.ts';
import { createRules, type Outcome } from './model-rules.ts';
import { createModelUpstream, type Saying } from './model-upstream.ts';
import { createSidecarWorld, createWorkersWorld } from './model-world.ts';
import { settle } from './story.ts';

/** One thing that happens. Numbers choose among what there is, modulo. */
export type Act =
  | { readonly do: 'ask'; readonly id: number; readonly callers: number; readonly viewer: number }
  | { readonly do: 'say'; readonly call: number; readonly what: Saying }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'evict'; readonly viewer: number }
  | { readonly do: 'restart' }
  | { readonly do: 'crash' };

export interface HistoryOptions {
  readonly tiers: 1 | 2;
  readonly memoryBytes: number;
  /** Without coalescing: answers to one id come in any order. One tier only. */
  readonly reorders: boolean;
  /** Ages mean nothing then; all else still holds. */
  readonly clockJumps: boolean;
}

const IDS = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}` as InvocationId);
const idOf = (n: number): InvocationId => IDS[n % IDS.length]!;

/** Rejects when a rule is broken or somebody is never answered. */
export async function play(acts: readonly Act[], options: HistoryOptions): Promise<void> {
  const { tiers, memoryBytes } = options;
  const clock = createClock();
  const { now } = clock;
  const rules = createRules({ now, ...options });
  const upstream = createModelUpstream(now, (id) => {
    rules.asked(id, upstream.pending.filter((call) => call.id === id).length);
  });
  const world = (tiers === 1 ? createSidecarWorld : createWorkersWorld)({
    now,
    memoryBytes,
    upstream,
    reorders: options.reorders,
  });
  const waiting = new Set<{ readonly era: number }>();
  const broken: unknown[] = [];
  let mark = 0;

  function ask(id: InvocationId, viewer: number): void {
    const caller = { era: world.era() };
    waiting.add(caller);
    const judge = (outcome: Outcome) => {
      waiting.delete(caller);
      if (caller.era === world.era()) rules.judge(id, viewer, outcome);
    };
    Promise.resolve(world.face(viewer).lookup(id))
      .then((lookup): Outcome => ({ kind: 'shown', lookup }))
      .catch((thrown: unknown): Outcome => ({ kind: 'error', code: asFailure(thrown).code }))
      .then(judge)
      .catch((rule: unknown) => broken.push(rule));
  }

  async function perform(act: Act): Promise<void> {
    switch (act.do) {
      case 'ask':
        for (let n = 0; n < act.callers; n++) ask(idOf(act.id), act.viewer % tiers);
        break;
      case 'say': {
        const call = upstream.pending[act.call % upstream.pending.length];
        if (call === undefined) return;
        rules.said(call.id, call.say(act.what, mark++, idOf(IDS.indexOf(call.id) + 1)));
        break;
      }
      case 'pass':
        clock.move(act.ms);
        return;
      case 'evict':
        evictAll(world.face(act.viewer % tiers).memory, memoryBytes, now());
        return;
      case 'restart':
        // A process takes its callers along; whoever waits for an object that is reset learns that it is gone.
        if (tiers === 1) rules.stopped();
        else for (const id of IDS) rules.said(id, { kind: 'failure', code: 'upstream_unavailable' });
        await world.restart();
        break;
      case 'crash':
        if (tiers === 1) rules.crashed();
        await world.crash();
        return;
    }
    await settle();
    if (broken.length > 0) throw broken[0];
  }

  for (const act of acts) await perform(act);
  while (upstream.pending.length > 0) await perform({ do: 'say', call: 0, what: '500' });
  const unanswered = [...waiting].filter(({ era }) => era === world.era()).length;
  if (unanswered > 0 || world.loads() > 0) throw new Error(`${unanswered} callers were never answered`);
  for (const id of IDS) rules.judgeDisk(id, bodyOf(await world.onDisk(id)));
}

const FILLER = 'ffffffff-ffff-4fff-8fff-ffffffffffff' as InvocationId;

const fillers = new Map<number, Entry>();

/** As another job would: the least recently used go, and that is all of them. */
function evictAll(memory: MemoryStore, memoryBytes: number, now: number): void {
  let filler = fillers.get(memoryBytes);
  if (filler === undefined) {
    const room = Math.floor(memoryBytes * (15 / 16)) - 1_024;
    filler = entryOf(FILLER, 'pending', now, 'x'.repeat(room));
    fillers.set(memoryBytes, filler);
  }
  memory.put(FILLER, filler, now);
}
