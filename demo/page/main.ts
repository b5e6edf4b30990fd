/** The page. How jobs are doing it hears from the gateway, by the client; which jobs there are, from its own back end. */
import { createClient } from '../../client/entry.ts';
import type { Action, DemoState } from '../state.ts';
import { byId, write } from './dom.ts';
import { createFlow } from './flow.ts';
import { createJobList } from './jobs.ts';
import { tellNews } from './news.ts';
import { drawPlot } from './plot.ts';

const client = createClient({ url: document.documentElement.dataset.gateway ?? '', grant: '/api/grant' });
const showJobs = createJobList(client, (id) => void order('retry', `?id=${id}`), tellNews);
const showFlow = createFlow();
const buttons = [...document.querySelectorAll<HTMLButtonElement>('button[data-action]')];
let run: string | undefined;

const states = new EventSource('/api/state');
states.onmessage = ({ data }: MessageEvent<string>) => show(JSON.parse(data) as DemoState);
states.onerror = () => {
  write(byId('wait'), 'The demo does not answer. Start it again, and this page goes on by itself.');
  byId('wait').hidden = false;
};
for (const button of buttons) {
  button.addEventListener('click', () => {
    if (button.ariaDisabled !== 'true') void order(button.dataset.action as Action);
  });
}

function show(state: DemoState): void {
  // Another demo than before: other jobs, another gateway.
  if (run !== undefined && run !== state.run) location.reload();
  run = state.run;
  showJobs(state.jobs);
  showFlow(state);
  drawPlot(state.seconds);
  const isOff: Partial<Record<string, boolean>> = {
    'new-job': state.chroma === 'fails',
    'more-watchers': !state.canAddWatchers,
    'chroma-fails': state.chroma === 'fails',
    'chroma-is-back': state.chroma === 'answers',
    restart: state.gateway === 'restarts',
  };
  // Not `disabled`: a button that is must give up the focus.
  for (const button of buttons) button.ariaDisabled = String(isOff[button.dataset.action ?? ''] ?? false);
}

async function order(action: Action, query = ''): Promise<void> {
  try {
    const response = await fetch(`/api/${action}${query}`, { method: 'POST' });
    const { message } = (await response.json()) as { readonly message: string };
    write(byId('done'), message);
  } catch {
    write(byId('done'), 'The demo does not answer.');
  }
}
