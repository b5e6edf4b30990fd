/** React Native's world, as a worker: a `window` without `addEventListener`, no `document`, no `response.body`. */
import './bare.ts';
import { createClient } from '../../../client/entry.ts';
import { seenOf } from './seen.ts';

const query = new URLSearchParams(location.search);
const client = createClient({
  url: query.get('gateway')!,
  grant: query.has('grant') ? new URL(query.get('grant')!, location.href).href : undefined,
});

/** What the page sends: ids to watch. */
function onmessage({ data }: MessageEvent<readonly string[]>): void {
  for (const id of data) {
    const note = () => postMessage([id, seenOf(client.snapshot(id))]);
    client.subscribe(id, note);
    note();
  }
}
Object.assign(globalThis, { onmessage });
