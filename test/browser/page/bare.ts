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
