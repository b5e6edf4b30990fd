/** What happened, newest first; a screen reader says each line once, when nobody else speaks. */
import { byId } from './dom.ts';
import { clockOf } from './wording.ts';

const KEPT = 8;

/** Adds one line. */
export function tellNews(text: string): void {
  const list = byId('news');
  const line = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = clockOf(new Date());
  line.append(time, ' ', text);
  list.prepend(line);
  while (list.children.length > KEPT) list.lastElementChild?.remove();
}
