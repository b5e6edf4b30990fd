/**
 * What one connection is owed and what it may cost (faults #31, #142 to #145, #152, #157), byte by byte. It leans on how
 * Node's parser behaves, so it runs on every Node that is named.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../simulator/simulator.ts';
import { ask, isRefused } from './ask.ts';
import { type NodeGateway, startNode, TOKEN } from './gateway.ts';
import { eventually } from './jobs.ts';
import { converse, headersIn, open, type RawConnection, statuses } from './raw-socket.ts';
import { useSidecars } from './simulated-rig.ts';

const PATIENT = { timeout: 10_000 };
const REFUSED = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';

/** @param node the Node that runs the gateway */
export function describeConnections(what: string, node = process.execPath): void {
  describe(`a connection on ${what}`, () => {
    let simulator: Simulator;
    let gateway: NodeGateway;
    let known: string;
    let body: string;
    const opened: RawConnection[] = [];
    beforeAll(async () => {
      simulator = createSimulator({ token: TOKEN });
      gateway = await startNode(await simulator.listen(), {}, { node });
      known = simulator.addJob({ state: 'complete' });
      ({ text: body } = await ask(gateway.url, known));
    });
    afterEach(() => {
      for (const { socket } of opened.splice(0)) socket.destroy();
    });
    afterAll(async () => {
      await gateway.stop();
      await simulator.close();
    });

    let requests = 0;
    /** One request with an id of its own. */
    const get = (id: string, headers = '') => {
      requests += 1;
      const name = `request-${String(requests).padStart(6, '0')}`;
      const text = `GET /api/v1/invocations/${id} HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${name}\r\n${headers}\r\n`;
      return { name, text };
    };
    const many = (count: number, id = known) => Array.from({ length: count }, () => get(id));
    const textOf = (all: readonly { text: string }[]) => all.map(({ text }) => text).join('');
    const namesIn = (text: string) => [...text.matchAll(/^X-Request-Id: (.*)\r$/gm)].map(([, name]) => name);
    const logged = () => gateway.logs().filter(({ msg }) => msg === 'request');
    const loggedOf = (all: readonly { name: string }[]) =>
      all.map(({ name }) => logged().find(({ requestId }) => requestId === name)?.status);
    async function connection(): Promise<RawConnection> {
      const one = await open(gateway.url);
      opened.push(one);
      return one;
    }

    it.each([
      ['a body that no request announced', '\r\n\r\n{"a":1}'],
      ['bytes that are no request', 'nonsense\r\n\r\n'],
      ['a request line that is none', 'GET\r\n\r\n'],
      ['a header that is none', 'GET / HTTP/1.1\r\nno header\r\n\r\n'],
      [
        'both lengths',
        'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      ],
      ['a TLS handshake', '\x16\x03\x01\x02\x00'],
    ])(
      '#142 in one packet with a hit, %s: the answer, then 400 and the close; the log says so',
      async (_what, rest) => {
        for (const count of [1, 10, 16, 17, 40]) {
          const asked = many(count);
          const sent = await converse(gateway.url, textOf(asked) + rest);
          expect(statuses(sent.text)).toEqual([...asked.map(() => 200), 400]);
          expect(sent.text.endsWith(REFUSED)).toBe(true);
          expect(sent.closed).toBe(true);
          expect(namesIn(sent.text)).toEqual(asked.map(({ name }) => name));
          await expect.poll(() => loggedOf(asked), PATIENT).toEqual(asked.map(() => 200));
        }
      },
    );

    it('#142 in one packet with a miss, garbage: the answer when it comes, then 400', async () => {
      const id = simulator.addJob({ state: 'complete' });
      simulator.hold({ id });
      const { socket, text, closed } = await connection();
      const asked = [get(known), get(id), get(known)];
      socket.write(`${textOf(asked)}nonsense\r\n\r\n`);
      await simulator.arrived(1, id);
      await expect.poll(() => statuses(text()), PATIENT).toEqual([200]);
      await expect.poll(() => loggedOf(asked), PATIENT).toEqual([200, undefined, undefined]);
      simulator.release({ id });
      await closed;
      expect(statuses(text())).toEqual([200, 200, 200, 400]);
      expect(namesIn(text())).toEqual(asked.map(({ name }) => name));
    });

    it('#142 headers that are too large behind a hit: the hit, then 431', async () => {
      const sent = await converse(
        gateway.url,
        `${get(known).text}GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      );
      expect([statuses(sent.text), sent.closed]).toEqual([[200, 431], true]);
    });

    it.each([
      ['with Connection: close', () => get(known, 'Connection: close\r\n').text],
      ['of HTTP/1.0', () => `GET /api/v1/invocations/${known} HTTP/1.0\r\nHost: a\r\n\r\n`],
    ])('a request %s is the last: what follows is not answered', async (_what, last) => {
      const sent = await converse(gateway.url, get(known).text + last() + get(known).text);
      expect([statuses(sent.text), sent.closed]).toEqual([[200, 200], true]);
    });

    it('#143 an expectation that nobody knows changes nothing, on any route', async () => {
      for (const [path, status] of [
        [`/api/v1/invocations/${known}`, 200],
        ['/healthz', 200],
        ['/readyz', 200],
        ['/nowhere', 404],
      ] as const) {
        const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`;
        const [plain, expecting] = await Promise.all(
          ['', 'Expect: foo\r\n'].map((header) => converse(gateway.url, `${request}${header}\r\n`)),
        );
        expect([statuses(plain!.text), statuses(expecting!.text)]).toEqual([[status], [status]]);
        expect(Object.keys(headersIn(expecting!.text))).toEqual(Object.keys(headersIn(plain!.text)));
      }
    });

    it.each([
      ['without Host', 400, () => `GET /healthz HTTP/1.1\r\nX-Request-Id: refused-400\r\n\r\n`],
      [
        'with 101 headers',
        431,
        () => `GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: refused-431\r\n${'X: y\r\n'.repeat(99)}\r\n`,
      ],
      ['CONNECT', 405, () => `CONNECT a:443 HTTP/1.1\r\nHost: a\r\nX-Request-Id: refused-405\r\n\r\n`],
    ])(
      '#143 #157 a request %s behind a hit: the hit, then %i with our headers and a log line, and no more',
      async (_what, status, refused) => {
        const [hit, after] = [get(known), get(known)];
        const sent = await converse(gateway.url, hit.text + refused() + after.text);
        expect([statuses(sent.text), sent.closed]).toEqual([[200, status], true]);
        const refusal = sent.text.slice(sent.text.lastIndexOf('HTTP/1.1'));
        expect(headersIn(refusal)).toMatchObject({
          vary: 'Origin, Authorization, x-chroma-token',
          'x-content-type-options': 'nosniff',
          'x-request-id': `refused-${status}`,
          'cache-control': 'no-store',
          connection: 'close',
        });
        const refusals = () => loggedOf([{ name: `refused-${status}` }]);
        await expect.poll(refusals, PATIENT).toEqual([status]);
        expect(loggedOf([hit, after])).toEqual([200, undefined]);
      },
    );

    it('#157 framing that nobody understands ends the connection: what follows is not executed', async () => {
      const id = simulator.addJob({ state: 'complete' });
      const odd = `GET /api/v1/invocations/${known} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n`;
      const sent = await converse(gateway.url, odd + textOf(many(3, id)));
      expect(statuses(sent.text)).toHaveLength(1);
      expect(sent.closed).toBe(true);
      expect(simulator.count(id)).toBe(0);
    });

    it.each([17, 100, 1_000])(
      '#31 #144 %i pipelined requests get their answers in order, whatever kind',
      async (count) => {
        const asked = Array.from({ length: count }, (_, i) =>
          i % 7 === 3 ? { name: '', text: '' } : get(known),
        );
        // Through the router, too.
        const text = asked.map(({ text }) => text || 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n').join('');
        const sent = await converse(gateway.url, text, {
          until: (came) => statuses(came).length === count,
          withinMs: 20_000,
        });
        expect(statuses(sent.text)).toEqual(asked.map(() => 200));
        expect(namesIn(sent.text).filter((name) => name!.startsWith('request-'))).toEqual(
          asked.flatMap(({ name }) => name || []),
        );
      },
    );

    it('#144 sixteen requests of a connection wait at most; the rest is unread until they have left', async () => {
      const ids = Array.from({ length: 50 }, () => simulator.addJob({ state: 'complete' }));
      const count = () => ids.reduce((sum, id) => sum + simulator.count(id), 0);
      simulator.hold();
      const { socket, text } = await connection();
      socket.write(textOf(ids.map((id) => get(id))));
      await expect.poll(count, PATIENT).toBe(16);
      // Another caller is answered meanwhile, and nothing more of this one is asked.
      expect((await ask(gateway.url, known)).status).toBe(200);
      expect(count()).toBe(16);
      simulator.release();
      await expect.poll(() => statuses(text()).length, PATIENT).toBe(50);
      expect(statuses(text())).toEqual(ids.map(() => 200));
      simulator.heal();
    });

    it('#142 #145 a caller that leaves: what it never got is not logged as answered', async () => {
      const id = simulator.addJob({ state: 'complete' });
      simulator.hold({ id });
      const { socket } = await connection();
      const asked = [get(id), get(known), get(known)];
      socket.write(textOf(asked));
      await simulator.arrived(1, id);
      socket.resetAndDestroy();
      await expect.poll(() => loggedOf(asked).slice(1), PATIENT).toEqual([499, 499]);
      simulator.release({ id });
      await expect.poll(() => loggedOf(asked), PATIENT).toEqual([499, 499, 499]);
    });

    it.each([
      ['no Host', 'POST /healthz HTTP/1.1\r\n', 400],
      [
        'a coding that nobody understands',
        'POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n',
        405,
      ],
      ['Connection: close', 'POST /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n', 405],
      ['garbage in its place', 'nonsense\r\n', 400],
    ])(
      '#157 a last answer is not overtaken by the close though two megabytes follow: %s',
      async (what, head, status) => {
        const length =
          what === 'no Host' || what === 'Connection: close' ? 'Content-Length: 2000000\r\n' : '';
        for (let round = 0; round < 10; round++) {
          const { socket, text, closed } = await connection();
          socket.write(`${head}${length}\r\n`);
          socket.write(Buffer.alloc(2_000_000, 'x'));
          await closed;
          expect(statuses(text())[0]).toBe(status);
        }
      },
    );

    it('#11 a backslash in the query changes nothing, one in the path is refused', async () => {
      const ask = (target: string) =>
        converse(gateway.url, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect(statuses((await ask(`/api/v1/invocations/${known}?a=\\`)).text)).toEqual([200]);
      expect(statuses((await ask(`/api/v1/invocations\\${known}?a=b`)).text)).toEqual([400]);
    });

    it('a path is judged by what it is, not by its length', async () => {
      for (const count of [33, 34, 35]) {
        const target = `/api/v1/invocations/${'a'.repeat(count)}/x`;
        const sent = await converse(
          gateway.url,
          `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        );
        expect(statuses(sent.text)).toEqual([404]);
      }
    });

    it('#143 a CONNECT that is never answered is logged as such', async () => {
      const id = simulator.addJob({ state: 'complete' });
      simulator.hold({ id });
      const { socket } = await connection();
      const miss = get(id);
      socket.write(`${miss.text}CONNECT a:1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: connect-0001\r\n\r\n`);
      await simulator.arrived(1, id);
      socket.resetAndDestroy();
      simulator.release({ id });
      await expect.poll(() => loggedOf([miss, { name: 'connect-0001' }]), PATIENT).toEqual([499, 499]);
    });

    it('#152 a caller that has said all it wants to say and half-closes gets its answers, then the close', async () => {
      const id = simulator.addJob({ state: 'complete' });
      simulator.hold({ id });
      const { socket, text, closed } = await connection();
      socket.end(textOf([get(id), get(known), get(id)]));
      await simulator.arrived(1, id);
      expect(text()).toBe('');
      simulator.release({ id });
      await closed;
      expect(statuses(text())).toEqual([200, 200, 200]);
    });

    it('#152 the same with nothing to wait for: closed at once', async () => {
      const { socket, closed } = await connection();
      socket.end();
      await closed;
      const asked = await connection();
      asked.socket.write(get(known).text);
      await expect.poll(() => statuses(asked.text()).length, PATIENT).toBe(1);
      asked.socket.end();
      await asked.closed;
      expect(asked.text().endsWith(body)).toBe(true);
    });
  });

  describe(`the end of a connection's life on ${what} (#145)`, () => {
    const { simulator, ...sidecars } = useSidecars(afterEach);
    let gateway: NodeGateway;
    const start = async () => {
      gateway = await sidecars.start({}, { node });
    };
    const requestFor = (id: string) => `GET /api/v1/invocations/${id} HTTP/1.1\r\nHost: a\r\n\r\n`;

    it('an answer on its way to a slow reader arrives whole, and the process ends', async () => {
      await start();
      // Larger than the sockets between them hold.
      const id = simulator.addJob({ state: 'complete', kind: 's3', detail: { text: 'x'.repeat(200_000) } });
      const { text: body } = await ask(gateway.url, id);
      const { socket, text, closed } = await open(gateway.url);
      socket.pause();
      socket.write(requestFor(id).repeat(60));
      await eventually(() => gateway.logs().filter(({ cache }) => cache === 'hit').length > 2, 5_000);
      gateway.process.kill('SIGTERM');
      expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 500));
      socket.resume();
      await closed;
      const answers = statuses(text());
      // What was read before is whole; the first of what was not is told so.
      expect(new Set(answers.slice(0, -1))).toEqual(new Set([200]));
      expect(text().split(body).length - 1).toBe(answers.filter((status) => status === 200).length);
      if (answers.length < 60) expect(text()).toContain('"error":"shutting_down"');
      expect(await gateway.exited).toBe(0);
    });

    it.each([1, 16, 32, 34])('after %i pipelined hits, all answered, a stop takes no time', async (count) => {
      await start();
      const id = simulator.addJob({ state: 'complete' });
      await ask(gateway.url, id);
      const { socket, text } = await open(gateway.url);
      socket.write(requestFor(id).repeat(count));
      await expect.poll(() => statuses(text()).length, PATIENT).toBe(count);
      const signalledAt = performance.now();
      gateway.process.kill('SIGTERM');
      expect(await gateway.exited).toBe(0);
      expect(performance.now() - signalledAt).toBeLessThan(3_000);
      socket.destroy();
    });

    it('a connection on which nothing ever came holds up no stop', async () => {
      await start();
      const { socket } = await open(gateway.url);
      await ask(gateway.url, simulator.addJob({ state: 'complete' }));
      const signalledAt = performance.now();
      gateway.process.kill('SIGTERM');
      expect(await gateway.exited).toBe(0);
      expect(performance.now() - signalledAt).toBeLessThan(3_000);
      socket.destroy();
    });

    it('one that reads nothing does not keep the idle ones open, and is cut after the 10 s, behind a CONNECT as well', {
      timeout: 40_000,
    }, async () => {
      await start();
      const id = simulator.addJob({ state: 'complete', kind: 's3', detail: { text: 'x'.repeat(200_000) } });
      await ask(gateway.url, id);
      const idle = await open(gateway.url);
      idle.socket.write(requestFor(id));
      await expect.poll(() => statuses(idle.text()).length, PATIENT).toBe(1);
      const deaf = await Promise.all([open(gateway.url), open(gateway.url)]);
      for (const { socket } of deaf) socket.pause();
      deaf[0]!.socket.write(requestFor(id).repeat(60));
      deaf[1]!.socket.write(`${requestFor(id).repeat(15)}CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`);
      await eventually(() => gateway.logs().filter(({ cache }) => cache === 'hit').length > 2, 5_000);
      const signalledAt = performance.now();
      gateway.process.kill('SIGTERM');
      await idle.closed;
      expect(performance.now() - signalledAt).toBeLessThan(3_000);
      expect(await gateway.exited).toBe(0);
      expect(performance.now() - signalledAt).toBeLessThan(14_000);
      expect(gateway.logs().at(-1)?.msg).toBe('stopped');
      for (const { socket } of deaf) socket.destroy();
    });

    it('a miss and two hits in one packet, stopped during the miss: three answers, all logged', async () => {
      await start();
      const known = simulator.addJob({ state: 'complete' });
      await ask(gateway.url, known);
      const id = simulator.addJob({ state: 'complete' });
      simulator.hold({ id });
      const { socket, text, closed } = await open(gateway.url);
      socket.write(requestFor(id) + requestFor(known) + requestFor(known));
      await simulator.arrived(1, id);
      gateway.process.kill('SIGTERM');
      expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
      simulator.release({ id });
      await closed;
      expect(statuses(text())).toEqual([200, 200, 200]);
      // Only the last could say so, and it was rendered before.
      expect(text()).not.toMatch(/^connection: close/im);
      expect(await gateway.exited).toBe(0);
      expect(gateway.logs().filter(({ msg, status }) => msg === 'request' && status === 200)).toHaveLength(4);
    });

    it('an unread pipeline gets what was read, then one 503 shutting_down and the close', async () => {
      await start();
      const ids = Array.from({ length: 40 }, () => simulator.addJob({ state: 'complete' }));
      simulator.hold();
      const { socket, text, closed } = await open(gateway.url);
      socket.write(ids.map(requestFor).join(''));
      await simulator.arrived(16);
      gateway.process.kill('SIGTERM');
      expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
      simulator.release();
      await closed;
      expect(statuses(text())).toEqual([...Array.from({ length: 16 }, () => 200), 503]);
      expect(text()).toContain('"error":"shutting_down"');
      expect(await gateway.exited).toBe(0);
    });
  });
}
