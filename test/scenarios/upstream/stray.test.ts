/** What was not asked for (faults #62, #63): bytes and responses out of turn, and redirects elsewhere. */
import { describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { answer, jobText, type RawRequest, response, startRawUpstream } from '../../support/raw-upstream.ts';
import { useRig } from '../../support/upstream-rig.ts';

describe.each(RUNTIMES)('what was not asked for, on %s', (runtime) => {
  const rig = useRig(runtime);

  const strays: readonly (readonly [string, (stray: string, request: RawRequest) => void])[] = [
    [
      'a second response that nobody asked for',
      (stray, request) => {
        answer(request);
        request.socket.write(response(200, jobText(stray)));
      },
    ],
    [
      'one that comes a little later',
      (stray, request) => {
        answer(request);
        setTimeout(() => request.socket.write(response(200, jobText(stray))), 5);
      },
    ],
    [
      'bytes beyond the Content-Length that begin like a response',
      (stray, { socket, id }) => {
        const text = jobText(id);
        const more = response(200, jobText(stray)).toString();
        socket.write(response(200, text + more, [`Content-Length: ${text.length}`]));
      },
    ],
    [
      'a body where there should be none',
      (stray, { socket }) => socket.write(response(204, response(200, jobText(stray)))),
    ],
  ];
  it.each(strays)('#62 %s never reaches the next id', async (_name, script) => {
    const stray = newId();
    for (let i = 0; i < 20; i++) {
      const { status, text, id } = await rig.fault((request) => script(stray, request));
      expect(text).not.toContain(stray);
      if (status === 200) expect((JSON.parse(text) as { id: string }).id).toBe(id);
    }
    // A connection that is one answer behind is noticed as soon as it has a moment's rest.
    const last = await eventually(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return rig.fault(answer);
      },
      5_000,
      ({ status }) => status === 200,
    );
    expect(last.text).toBe(jobText(last.id));
  });

  it('#63 a redirect is never followed: the other origin hears nothing, and a loop is one call', async () => {
    const other = await startRawUpstream();
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        for (const origin of [other.url, rig.upstream.url, '']) {
          const { error, calls, headers } = await rig.fault(({ socket, id }) =>
            socket.write(response(status, '', [`Location: ${origin}/api/v1/invocations/${id}`])),
          );
          expect([error.error, calls, headers.get('location')]).toEqual(['upstream_redirect', 1, null]);
        }
      }
      expect(other.connections()).toBe(0);
    } finally {
      await other.close();
    }
  });
});

describe('a connection that is one answer behind', () => {
  // On workerd the connections are the platform's own.
  const rig = useRig('node', { UPSTREAM_MAX_CONCURRENCY: '1' });

  it('#62 costs one answer, however busy it is: nothing more is asked over it', async () => {
    const stray = newId();
    const sockets = new WeakSet<object>();
    let poisoned = 0;
    rig.upstream.script((request) => {
      if (poisoned === 0 && sockets.has(request.socket)) {
        poisoned++;
        request.socket.write(response(200, jobText(stray)));
      }
      sockets.add(request.socket);
      setTimeout(() => answer(request), 5);
    });
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(rig.gateway.url, newId())));
    expect(poisoned).toBe(1);
    expect(answers.filter(({ error }) => error.error === 'upstream_bad_response')).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(29);
  });
});

describe('a job that upstream always answers with another’s body', () => {
  const rig = useRig('node');

  it('costs nobody else’s connections, however often it is asked for', async () => {
    const wrong = newId();
    rig.upstream.scriptFor(wrong, ({ socket }) => socket.write(response(200, jobText(newId()))));
    for (let i = 0; i < 20; i++) {
      expect((await ask(rig.gateway.url, wrong)).error.error).toBe('upstream_bad_response');
      expect((await ask(rig.gateway.url, newId())).status).toBe(200);
    }
    expect(rig.upstream.connections()).toBeLessThan(10);
  });
});

describe('an error whose body never ends', () => {
  const rig = useRig('node', { UPSTREAM_MAX_CONCURRENCY: '2', UPSTREAM_TIMEOUT_MS: '3000' });

  it('costs its connection, not its place', async () => {
    rig.upstream.script(({ socket }) =>
      socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nx'),
    );
    for (let i = 0; i < 4; i++) {
      const { error } = await ask(rig.gateway.url, newId());
      expect(error.error).toBe('upstream_rejected');
    }
    rig.upstream.script(answer);
    expect((await ask(rig.gateway.url, newId())).status).toBe(200);
  });
});
