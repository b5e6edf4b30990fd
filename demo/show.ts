/** What goes on while the demo runs: jobs, watchers, counts, and what the buttons do. */
import { randomUUID } from 'node:crypto';
import type { Simulator } from '../simulator/simulator.ts';
import type { BackEnd, Done } from './back-end.ts';
import type { GatewayChild } from './gateway-child.ts';
import { createMeter, type Reading, watchesOf } from './meter.ts';
import { createShowcase } from './showcase.ts';
import type { Action, DemoState } from './state.ts';
import { createWatchers } from './watchers.ts';

const TICK_MS = 1_000;
/** The next job is there before the last one has ended, ms. */
const OVERLAP_MS = 3_000;
const NOTHING: Reading = { watches: 0, asked: 0, wouldHaveAsked: 0, seconds: [] };

export interface ShowOptions {
  readonly chroma: Simulator;
  readonly gateway: GatewayChild;
  readonly gatewayUrl: string;
  /** A grant for everything, and for nobody but this one. */
  readonly grantFor: (subject: string) => Promise<string>;
  readonly backEnd: Pick<BackEnd, 'tabs' | 'tell'>;
}

export interface Show {
  /** The `DemoState` as JSON. */
  state(): string;
  /** Which of these jobs are shown: a page may read no others. */
  shown(ids: readonly string[]): string[];
  act(action: Action, id: string | undefined): Done;
  close(): void;
}

export function openShow({ chroma, gateway, gatewayUrl, grantFor, backEnd }: ShowOptions): Show {
  const run = randomUUID();
  const showcase = createShowcase((spec) => chroma.addJob(spec), Date.now);
  const watchers = createWatchers({ url: gatewayUrl, grantFor, running: () => showcase.running() });
  const readMeter = createMeter({
    watches: () => watchesOf(gatewayUrl),
    asked: () => chroma.count(),
    clock: () => performance.now(),
  });
  let reading = NOTHING;
  let fails = false;
  const timer = setInterval(() => void tick(), TICK_MS);

  async function tick(): Promise<void> {
    if (showcase.running(OVERLAP_MS) === undefined && !fails) showcase.add();
    reading = await readMeter();
    backEnd.tell(state());
  }

  function state(): string {
    return JSON.stringify({
      run,
      jobs: showcase.jobs(),
      gateway: gateway.isRestarting ? 'restarts' : 'runs',
      chroma: fails ? 'fails' : 'answers',
      tabs: backEnd.tabs,
      watchers: watchers.count,
      canAddWatchers: watchers.canAdd,
      requests: gateway.requests,
      ...reading,
    } satisfies DemoState);
  }

  function newJob(hasRoom: boolean | undefined, message: string): Done {
    if (hasRoom) return { ok: true, message };
    const refusal =
      hasRoom === false ? 'Eight jobs run at once: that is enough.' : 'This job has not failed.';
    return { ok: false, message: refusal };
  }

  const actions: Readonly<Record<Action, (id: string) => Done>> = {
    'new-job': () => newJob(showcase.add(), 'A new job was created.'),
    retry: (id) => newJob(showcase.retry(id), 'The retry is a new job, with an id of its own.'),
    'more-watchers'() {
      if (!watchers.canAdd) return { ok: false, message: `${watchers.count} watchers are enough.` };
      watchers.add();
      return { ok: true, message: `${watchers.count} watchers, each with an event stream of its own.` };
    },
    'chroma-fails'() {
      if (!fails) chroma.fault({ type: 'status', status: 503 });
      fails = true;
      return { ok: true, message: 'Chroma answers everything with a 503 from now on.' };
    },
    'chroma-is-back'() {
      chroma.heal();
      fails = false;
      return { ok: true, message: 'Chroma answers again.' };
    },
    restart() {
      void gateway.restart();
      return { ok: true, message: 'The gateway is stopped, and starts again.' };
    },
  };

  return {
    state,
    shown(ids) {
      const shown = new Set(showcase.jobs().map(({ id }) => id));
      return ids.filter((id) => shown.has(id));
    },
    act(action, id) {
      const isNew = action === 'new-job' || action === 'retry';
      const done =
        fails && isNew
          ? { ok: false, message: 'Chroma fails, and takes no new job.' }
          : actions[action](id ?? '');
      backEnd.tell(state());
      return done;
    },
    close() {
      clearInterval(timer);
      watchers.close();
    },
  };
}
