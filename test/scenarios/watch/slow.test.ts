/** Streams whose reader is slow, or reads nothing (contract §10). On Workers the edge reads, whoever it reads for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask } from '../../support/ask.ts';
import { TOKEN } from '../../support/gateway.ts';
import { startHere } from '../../support/here.ts';
import { eventually } from '../../support/jobs.ts';
import { residentBytes } from '../../support/resident.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, rawGet, useStreams } from '../../support/watching.ts';

const MEGABYTE = 1_048_576;
const text = 'x'.repeat(200_000);
const marked = (mark: number, status = 'pending') =>
  ({ type: 'patch', patch: { status, metadata: { mark, text } } }) as const;

describe('on node', () => {
  // Nothing stays fresh, so that each lookup brings a new state to those who watch.
  const { simulator, gateway } = useSimulated('node', { CACHE_IN_FLIGHT_TTL_MS: '0' });
  const stream = useStreams();

  it('#162 who reads nothing has two events kept for it at most, and the newest state when it reads again; others go on', async () => {
    const id = simulator.addJob();
    simulator.script(id, [marked(0)]);
    const reader = await stream(gateway.url, [id]);
    const deaf = await Promise.all(Array.from({ length: 20 }, () => rawGet(gateway.url, eventsPath([id]))));
    for (const one of deaf) {
      expect(await eventually(() => one.text().includes('"mark":0,'), 5_000)).toBe(true);
      one.socket.pause();
    }
    const before = residentBytes(gateway);
    const changes = 60;
    for (let mark = 1; mark <= changes; mark++) {
      simulator.script(id, [marked(mark)]);
      await ask(gateway.url, id);
      await reader.until(({ data }) => data.includes(`"mark":${mark},`), 3_000);
    }
    // All of them for each would be 240 MB; what the system's sockets took is not the process's.
    expect(residentBytes(gateway) - before).toBeLessThan(100 * MEGABYTE);
    for (const { socket } of deaf) socket.resume();
    for (const { text } of deaf) {
      expect(await eventually(() => text().includes(`"mark":${changes},`), 10_000)).toBe(true);
      const marks = [...text().matchAll(/"mark":(\d+),/g)].map(([, mark]) => Number(mark));
      expect(marks).toEqual([...new Set(marks)].toSorted((a, b) => a - b));
      expect(marks.length).toBeLessThan(changes);
    }
    simulator.script(id, [marked(changes, 'cancelled')]);
    await ask(gateway.url, id);
    await reader.ended;
    for (const { socket, text } of deaf) {
      expect(await eventually(() => text().includes('"settled"'), 5_000)).toBe(true);
      socket.destroy();
    }
  });
});

/** One real second is so many of the sockets'. */
const FASTER = 30;

it('#162 who reads nothing is gone within 90 s, and nothing of its watch is left', async () => {
  const simulator = createSimulator({ token: TOKEN });
  const { url, server, connections, stop } = await startHere(await simulator.listen());
  server.prependListener('connection', (socket) => {
    const setTimeout = socket.setTimeout.bind(socket);
    socket.setTimeout = (ms, tell) => setTimeout(ms / FASTER, tell);
  });
  const ids = Array.from({ length: 50 }, () => simulator.addJob());
  for (const id of ids) simulator.script(id, [marked(1)]);
  const deaf = await rawGet(url, eventsPath(ids));
  deaf.socket.pause();
  await Promise.all(ids.map((id) => simulator.arrived(1, id)));
  const startedAt = performance.now();
  expect(await eventually(connections, 6_000, (count) => count === 0)).toBe(0);
  // A second is for a busy machine.
  expect(performance.now() - startedAt).toBeLessThan(90_000 / FASTER + 1_000);
  expect(performance.now() - startedAt).toBeGreaterThan(30_000 / FASTER - 500);
  await sleep(250); // a question may have been under way
  const calls = simulator.counts().total;
  await sleep(2_500); // more than the interval
  expect(simulator.counts().total).toBe(calls);
  deaf.socket.destroy();
  await stop();
  await simulator.close();
});
