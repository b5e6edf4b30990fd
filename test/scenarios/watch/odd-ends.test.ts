/**
 * Callers that go away at an odd moment, or share a connection in an odd way (contract §10, found by review). The
 * sidecar's sockets only: on Workers the edge has them.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { newId } from '../../support/ask.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { open, requestText, statuses } from '../../support/raw-socket.ts';
import { useSidecars, useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, QUICK, watchesOf } from '../../support/watching.ts';

const NONE = { held: 0, invocations: 0 };
const lookupPath = (id: string) => `/api/v1/invocations/${id}`;

describe('while the grant is still being checked', () => {
  const { simulator, gateway } = useSimulated('node', { ...QUICK, ...GRANT_ENV });

  it('#152 #161 a half-close or a reset ends a stream and a wait all the same', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const all = await Promise.all(Array.from({ length: 40 }, () => open(gateway.url)));
    for (const [i, { socket }] of all.entries()) {
      const headers = bearer(grantFor('*', { sub: newId() })); // never seen before
      const isStream = i % 2 === 0;
      const path = isStream ? eventsPath([id]) : lookupPath(id);
      socket.write(requestText(path, isStream ? headers : { ...headers, Prefer: 'wait=25' }));
      if (i % 4 < 2) socket.end();
      else socket.resetAndDestroy();
    }
    // Some are held for a moment before the end is seen; none is held for long.
    const isNone = (seen: unknown) => JSON.stringify(seen) === JSON.stringify(NONE);
    await eventually(() => gateway.logs().filter(({ msg }) => msg === 'request').length >= 20, 3_000);
    expect(await eventually(() => watchesOf(gateway.url), 4_000, isNone)).toEqual(NONE);
  });
});

describe('on one connection', () => {
  const { simulator, start } = useSidecars(afterAll);

  it('#152 a lookup before a stream is answered, though the caller half-closes behind both', async () => {
    const gateway = await start(QUICK);
    const [slow, watched] = [simulator.addJob({ state: 'complete' }), simulator.addJob({ state: 'pending' })];
    simulator.hold({ id: slow });
    const { socket, text, closed } = await open(gateway.url);
    socket.end(requestText(lookupPath(slow)) + requestText(eventsPath([watched])));
    await simulator.arrived(1, slow);
    await eventually(() => gateway.logs().some(({ reason }) => reason === 'left'), 3_000);
    simulator.release({ id: slow });
    await closed;
    expect(statuses(text())[0]).toBe(200);
    expect(text()).toContain('"complete"');
    expect(text()).not.toContain('event: invocation');
  });

  it('sixteen waits cost no warning; a half-close on any way prints nothing on stderr', async () => {
    const gateway = await start(QUICK);
    const id = simulator.addJob({ state: 'pending' });
    const { socket, text } = await open(gateway.url);
    socket.write(requestText(lookupPath(id), { Prefer: 'wait=1' }).repeat(16));
    expect(
      await eventually(
        () => statuses(text()).length,
        20_000,
        (count) => count === 16,
      ),
    ).toBe(16);
    const routed = await open(gateway.url);
    routed.socket.end(requestText(`http://localhost${eventsPath([id])}`));
    await routed.closed;
    gateway.process.kill('SIGTERM');
    await gateway.exited;
    const lines = gateway.printed().trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith('{'))).toEqual([]);
  });
});
