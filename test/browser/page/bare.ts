/** Takes away what React Native does not have, before anything else of this script runs. */
interface Bare {
  window?: unknown;
  addEventListener?: unknown;
  removeEventListener?: unknown;
}
const bare: Bare = globalThis;
bare.window = globalThis;
bare.addEventListener = undefined;
bare.removeEventListener = undefined;
Object.defineProperty(Response.prototype, 'body', { get: () => undefined });
for (const name of ['any', 'timeout'] as const) {
  Object.defineProperty(AbortSignal, name, { value: undefined });
}

// Where `fetch` stands on `XMLHttpRequest`, an answer is there when all of it has come.
if (new URLSearchParams(location.search).has('whole')) {
  const streamingFetch = fetch;
  globalThis.fetch = async (...question) => {
    const answer = await streamingFetch(...question);
    const text = await answer.text();
    const { status, headers } = answer;
    return new Response([204, 304].includes(status) ? null : text, { status, headers });
  };
}
