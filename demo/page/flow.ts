/** Who asks whom, in numbers; a dot travels along an arrow when there was something on it. */
import type { DemoState } from '../state.ts';
import { byId, write } from './dom.ts';

/** @returns shows the newest state */
export function createFlow(): (state: DemoState) => void {
  let before: DemoState | undefined;
  return (state) => {
    for (const name of ['tabs', 'watchers', 'watches', 'requests', 'asked'] as const) {
      write(byId(name), state[name].toLocaleString('en'));
    }
    write(byId('pages'), (state.tabs + state.watchers).toLocaleString('en'));
    write(byId('would-have-asked'), state.wouldHaveAsked.toLocaleString('en'));
    show('gateway-state', state.gateway, state.gateway === 'restarts');
    show('chroma-state', state.chroma, state.chroma === 'fails');
    if (before !== undefined) {
      pulse('to-gateway', state.requests > before.requests);
      pulse('to-chroma', state.asked > before.asked);
    }
    before = state;
  };
}

function show(id: string, text: string, isBad: boolean): void {
  write(byId(id), text);
  byId(id).classList.toggle('is-bad', isBad);
}

/** `is-busy` begins an animation; it is taken away for a moment so that the next one begins anew. */
function pulse(id: string, isBusy: boolean): void {
  const arrow = byId(id);
  arrow.classList.remove('is-busy');
  if (isBusy) requestAnimationFrame(() => arrow.classList.add('is-busy'));
}
