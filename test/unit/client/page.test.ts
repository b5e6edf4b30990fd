/** The page that a client lives in, if it lives in one (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../../../client/client.ts';
import { createPage } from '../../../client/page.ts';
import { holdClock, pass } from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** A page as browsers have it: `window`, which is the global object, and `document`. */
function stubPage() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('document', document);
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window));
  return { window, document };
}

describe('in a browser', () => {
  it('it hears of the network, of being left and taken up again, of being seen and of being frozen', () => {
    const { window, document } = stubPage();
    const heard: string[] = [];
    const stop = createPage().listen(({ type }) => heard.push(type));
    for (const type of ['online', 'pagehide', 'pageshow', 'visibilitychange'])
      window.dispatchEvent(new Event(type));
    document.dispatchEvent(new Event('resume'));
    expect(heard).toEqual(['online', 'pagehide', 'pageshow', 'visibilitychange', 'resume']);
    stop();
    window.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('resume'));
    expect(heard).toHaveLength(5);
  });

  it('it never listens for `unload` or `beforeunload`, which keep a page out of the back/forward cache (#188)', () => {
    stubPage();
    const names: string[] = [];
    vi.stubGlobal('addEventListener', (name: string) => names.push(name));
    createPage().listen(() => {});
    expect(names.filter((name) => name.includes('unload'))).toEqual([]);
    expect(names).toContain('pagehide');
  });

  it('it sees whether it is hidden, at each look', () => {
    const { document } = stubPage();
    const page = createPage();
    expect(page.isHidden()).toBe(false);
    document.visibilityState = 'hidden';
    expect(page.isHidden()).toBe(true);
  });
});

describe.each([
  ['on a server', {}],
  ['in a worker', { importScripts: () => {}, addEventListener: () => {}, removeEventListener: () => {} }],
  ['in React Native: `window` that cannot listen, and no `document`', { window: globalThis }],
])('%s', (_, globals) => {
  it('there is no page to hear of, and nothing throws (#193)', () => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    const page = createPage();
    const stop = page.listen(() => expect.unreachable());
    expect(page.isHidden()).toBe(false);
    stop();
  });
});

/** A client of the real platform parts, but for `fetch`. */
async function freshClient(answer: (url: string) => Partial<Response>) {
  vi.resetModules();
  const inits: [url: string, RequestInit][] = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    inits.push([url, init]);
    return answer(url);
  });
  const { createClient } = await import('../../../client/client.ts');
  return { client: createClient({ url: 'https://gateway.test', grant: '/api/grant' }), inits };
}

const GRANT = Response.json.bind(Response, { grant: 'g' });

describe('a request', () => {
  const answer = (url: string) => {
    if (url === '/api/grant') return GRANT();
    return new Response(url.endsWith('?') ? '[]' : `{"id":"${url.slice(-36)}","status":"pending"}`);
  };
  /** One job, then a list. */
  async function askBoth({ get, list }: Client): Promise<void> {
    const both = get(newId()).then(() => list());
    await pass(20);
    expect(await both).toEqual([]);
  }

  it('uses a browser’s default cache mode, and asks for grants with the page’s credentials', async () => {
    stubPage();
    const { client, inits } = await freshClient(answer);
    await askBoth(client);
    expect(inits.map(([, { cache, credentials }]) => [cache, credentials])).toEqual([
      [undefined, 'include'],
      [undefined, undefined],
      [undefined, 'include'],
      [undefined, undefined],
    ]);
  });

  it('is `no-store` on a server, where a framework might keep it, and has no credentials', async () => {
    const { client, inits } = await freshClient(answer);
    await askBoth(client);
    expect(inits.map(([, { cache, credentials }]) => [cache, credentials])).toEqual([
      [undefined, undefined],
      ['no-store', undefined],
      [undefined, undefined],
      ['no-store', undefined],
    ]);
  });

  it('has no cache mode where the runtime knows none', async () => {
    vi.stubGlobal('Request', class {});
    const { client, inits } = await freshClient(answer);
    await askBoth(client);
    expect(inits.map(([, init]) => 'cache' in init)).toEqual([false, false, false, false]);
  });
});

describe('a runtime whose answers have no `body`', () => {
  it('has lookups (#193)', async () => {
    vi.stubGlobal('window', globalThis);
    const { client, inits } = await freshClient((url) => {
      if (url === '/api/grant') return GRANT();
      const isStream = url.includes('/events?');
      const headers = new Headers(isStream ? { 'Content-Type': 'text/event-stream' } : {});
      const text = async () => `{"id":"${url.slice(-36)}","status":"pending"}`;
      return { status: 200, headers, text };
    });
    const id = newId();
    const stop = client.subscribe(id, () => {});
    await pass(1_000);
    expect(client.snapshot(id).phase).toBe('live');
    stop();
    await pass(1_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(inits.filter(([url]) => url.includes('/events?'))).toHaveLength(1);
  });
});
