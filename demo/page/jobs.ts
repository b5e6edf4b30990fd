/** The list of jobs: one subscription to the client for each, and what it says on the page. */
import type { Client } from '../../client/entry.ts';
import type { ShownJob } from '../state.ts';
import { byId, part, write } from './dom.ts';
import { wordingOf } from './wording.ts';

const TICK_MS = 250;

/** @returns shows these jobs, and no others any more */
export function createJobList(
  client: Client,
  retry: (id: string) => void,
  tell: (news: string) => void,
): (jobs: readonly ShownJob[]) => void {
  const list = byId('jobs');
  const cards = new Map<string, { readonly element: HTMLElement; update(): void; end(): void }>();
  setInterval(() => {
    for (const card of cards.values()) card.update();
  }, TICK_MS);

  function createCard({ id, retryOf }: ShownJob) {
    const template = byId<HTMLTemplateElement>('job');
    const element = part(template.content.cloneNode(true) as DocumentFragment, '.job');
    const button = part(element, 'button');
    const shortId = id.slice(0, 8);
    button.addEventListener('click', () => retry(id));
    let known: string | undefined;

    function update(): void {
      const { state, title, source, time, result, stale } = wordingOf(client.snapshot(id), new Date());
      element.dataset.state = state;
      element.classList.toggle('is-stale', stale !== '');
      button.hidden = state !== 'failed';
      button.setAttribute('aria-label', `Retry ${title}`);
      write(part(element, '.word'), state);
      write(part(element, 'h3'), title);
      const of = retryOf === undefined ? '' : `, a retry of ${retryOf.slice(0, 8)}`;
      write(part(element, '.what .hint'), `${shortId} ${source}${of}`);
      write(part(element, '.time'), time);
      write(part(element, '.result'), result);
      write(part(element, '.stale'), stale);
      const now = stale === '' ? state : 'stale';
      if (known !== undefined && known !== 'loading' && known !== now) tell(`${title} (${shortId}): ${now}`);
      known = now;
    }

    const stop = client.subscribe(id, update);
    update();
    return {
      element,
      update,
      end() {
        stop();
        // Whoever uses a keyboard is not sent back to the top of the page.
        if (element.contains(document.activeElement)) byId('jobs-title').focus();
        element.remove();
      },
    };
  }

  return (jobs) => {
    for (const [id, card] of cards) {
      if (jobs.some((job) => job.id === id)) continue;
      card.end();
      cards.delete(id);
    }
    for (const job of [...jobs].reverse()) {
      if (cards.has(job.id)) continue;
      const card = createCard(job);
      cards.set(job.id, card);
      list.prepend(card.element);
    }
    byId('wait').hidden = cards.size > 0;
  };
}
