import { it } from 'vitest';
import { ask, newId } from './support/ask.ts';
import { startWorkerd } from './support/gateway.ts';
import { startRawUpstream, response } from './support/raw-upstream.ts';
it('x', async () => {
  const upstream = await startRawUpstream();
  const gateway = await startWorkerd(upstream.url, {});
  let n = 0;
  upstream.script(({ socket }) => socket.write(response([500, 502, 503, 504][n++ % 4]!, 'storm')));
  const t0 = performance.now();
  const el = () => performance.now() - t0;
  const all: Promise<void>[] = []; let done = 0;
  for (let asked = 0; el() < 3000; ) {
    for (; asked < el(); asked++) { const at = el(); all.push(ask(gateway.url, newId()).then((a) => { done++; }, (e) => console.log('ERR', at | 0, el() | 0, String(e.cause ?? e), done))); }
    await new Promise((r) => setTimeout(r, 5));
  }
  await Promise.all(all);
  console.log('calls', n, 'done', done, 'asked', all.length);
  const lines = gateway.printed().split('\n').filter((l) => !l.startsWith('{'));
  console.log(lines.slice(0, 60).join('\n'));
  await gateway.stop(); await upstream.close();
}, 60000);
