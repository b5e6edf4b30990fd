/** Watching on Workers: what an isolate holds, asks and shares (contract §10). */
import { afterEach, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask } from '../../support/ask.ts';
import { startWorkerd, TOKEN, type WorkerdGateway, type WorkerdOptions } from '../../support/gateway.ts';
import { bodyOfEvent, type Stream } from '../../support/stream.ts';
import { QUICK, useStreams, wait } from '../../support/watching.ts';

/** Runs before the Worker: each stub of an object goes through `wrap(stub, name)`. */
const wrapping = (wrap: string) => `
  import { DurableObject as AnyObject, env as bindings } from 'cloudflare:workers';
  {
    const wrap = ${wrap};
    const namespace = Object.getPrototypeOf(bindings.INVOCATIONS);
    const { getByName } = namespace;
    namespace.getByName = function (name) { return wrap(getByName.call(this, name), name); };
  }
`;

/** Of the calls of this isolate only six are under way: more wait until one has ended, as on the platform. */
const SIX_PENDING = wrapping(`(() => {
  let pending = 0;
  const queue = [];
  const next = () => { while (pending < 6 && queue.length > 0) { pending += 1; queue.shift()(); } };
  const limited = (call) => new Promise((resolve, reject) => {
    queue.push(() => call().then(resolve, reject).finally(() => { pending -= 1; next(); }));
    next();
  });
  return (stub) => ({
    ask: (...args) => limited(() => stub.ask(...args)),
    recall: (...args) => limited(() => stub.recall(...args)),
    watch: (...args) => limited(() => stub.watch(...args)),
  });
})()`);

/** The first watch of each object is under way for a while, and then the object is reset. */
const RESET = wrapping(`(() => {
  AnyObject.prototype.resetNow = function () { this.ctx.abort('reset by a test'); };
  const reset = new Set();
  return (stub, name) => ({
    ask: (...args) => stub.ask(...args),
    recall: (...args) => stub.recall(...args),
    watch: (...args) => {
      if (!reset.has(name) && args[1].etag !== undefined) {
        reset.add(name);
        setTimeout(() => stub.resetNow().catch((error) => console.log('was reset: ' + error.message)), 200);
      }
      return stub.watch(...args);
    },
  });
})()`);

const isJob = ({ event }: { event: string }) => event === 'invocation';
const statusesOf = ({ events }: Stream) => events.filter(isJob).map((event) => bodyOfEvent(event).status);

describe('on workerd', () => {
  let simulator: Simulator;
  let gateway: WorkerdGateway;
  const stream = useStreams();
  async function start(options: WorkerdOptions = {}): Promise<void> {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startWorkerd(await simulator.listen(), QUICK, options);
  }
  const pending = () => simulator.addJob({ state: 'pending' });
  afterEach(async () => {
    // What workerd says when a promise is awaited in another request than its own (platform M16).
    expect(gateway.printed()).not.toMatch(/different request|never generate|hung|internal error/i);
    await gateway.stop();
    await simulator.close();
  });

  it('#176 six calls at a time for 50 jobs: what changes is shown within its interval, the last job as the first', async () => {
    await start({ prelude: SIX_PENDING });
    const ids = Array.from({ length: 50 }, pending);
    const opened = await stream(gateway.url, ids);
    await opened.until(() => opened.events.length === 50, 5_000);
    for (const id of [ids[49]!, ids[0]!, ids[25]!]) {
      const changedAt = performance.now();
      simulator.script(id, [{ type: 'state', state: 'processing' }]);
      await opened.until(({ data }) => data.includes(id) && data.includes('processing'), 10_000);
      // Every job has had its turn after 1.5 s; the rest is the interval and a busy machine.
      expect(performance.now() - changedAt).toBeLessThan(3_000);
    }
  });

  it('#172 an object is reset while it is watched: the stream goes on, after one trouble at most', async () => {
    await start({ prelude: RESET });
    const id = pending();
    const opened = await stream(gateway.url, [id]);
    await opened.until(isJob);
    const waiting = wait(gateway.url, id, 'wait=20');
    for (const until = performance.now() + 5_000; !gateway.printed().includes('was reset'); ) {
      expect(performance.now()).toBeLessThan(until);
      await simulator.arrived(simulator.count(id) + 1, id);
    }
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    await opened.until(({ data }) => data.includes('processing'), 5_000);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    await opened.ended;
    expect(statusesOf(opened).filter((status) => status !== 'pending')).toEqual([
      'processing',
      { complete: expect.anything() as unknown },
    ]);
    expect(opened.events.filter(({ event }) => event === 'trouble').length).toBeLessThanOrEqual(1);
    expect((await waiting).status).toBe(200);
  });

  it('#172 a hundred streams on a hundred objects: each has its own, and nothing is shared across requests', async () => {
    await start();
    const ids = Array.from({ length: 100 }, pending);
    const leavers = await Promise.all(ids.map((id) => stream(gateway.url, [id])));
    const streams = await Promise.all(ids.map((id) => stream(gateway.url, [id])));
    await Promise.all([...leavers, ...streams].map((one) => one.until(isJob)));
    for (const one of leavers) one.leave(); // what they had ends with them
    for (const id of ids) simulator.script(id, [{ type: 'state', state: 'complete' }]);
    for (const [i, one] of streams.entries()) {
      await one.ended;
      expect(one.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'end']);
      expect(one.events.slice(0, 2).map((event) => bodyOfEvent(event).id)).toEqual([ids[i], ids[i]]);
    }
  });

  it('#163 of two isolates that watch a job neither shows it going back, whichever learned of its end first', async () => {
    await start({ isolates: 2 });
    const [id, other] = [simulator.addJob({ state: 'processing' }), pending()];
    const streams = await Promise.all(gateway.urls.map((url) => stream(url, [id, other])));
    await Promise.all(streams.map((one) => one.until(({ data }) => data.includes(id))));
    simulator.script(id, [
      { type: 'state', state: 'complete' },
      { type: 'state', state: 'processing' },
    ]);
    await Promise.all(gateway.urls.map((url) => wait(url, id, 'wait=20')));
    await Promise.all(streams.map((one) => one.until(({ data }) => data.includes('complete'), 5_000)));
    await simulator.arrived(simulator.count(other) + 4, other);
    for (const url of gateway.urls) expect((await ask(url, id)).text).toContain('complete');
    for (const one of streams) {
      const seen = one.events
        .filter(({ data }) => data.includes(id))
        .map((event) => bodyOfEvent(event).status);
      expect(seen).toEqual(['processing', { complete: expect.anything() as unknown }]);
    }
  });
});
