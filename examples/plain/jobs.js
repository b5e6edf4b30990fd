import { jobs, retry } from './back-end.js';
import { createClient } from './client.js'; // a copy of node_modules/chroma-sync-gateway/client.js

const client = createClient({ url: 'https://gateway.example', grant: '/api/grant' });

function show(id, row) {
  const render = () => {
    const { phase, invocation, error, isStale, asOf } = client.snapshot(id);
    const ms = invocation?.durationMs ?? (phase === 'live' ? Date.now() - invocation.createdAt : NaN);
    row.className = phase;
    row.textContent = error?.message ?? invocation?.state ?? phase;
    if (!Number.isNaN(ms)) row.append(`, ${Math.max(0, Math.round(ms / 1000))} s`);
    if (isStale) row.append(`, as of ${asOf.toLocaleTimeString()}`);
    if (invocation?.state === 'failed') row.append(paragraph(invocation.error), button('Retry', again));
  };
  const again = async () => {
    stop();
    show(await retry(id), row);
  };
  const stop = client.subscribe(id, render);
  row.onanimationiteration = render;
  render();
}

const paragraph = (text) => Object.assign(document.createElement('p'), { textContent: text });
const button = (text, onclick) =>
  Object.assign(document.createElement('button'), { textContent: text, onclick });

for (const id of await jobs())
  show(id, document.querySelector('ul').appendChild(document.createElement('li')));
