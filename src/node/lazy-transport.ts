/**
 * undici, loaded when it is first needed or, by the sidecar, just after it listens: it is half of all the code that a
 * start would wait for.
 */
import type { Transport } from '../upstream/transport.ts';
import type { UndiciTransport } from '../upstream/undici/transport.ts';

export interface LazyTransport extends UndiciTransport {
  /** Loads it now. */
  load(): Promise<void>;
}

/** As `createUndiciTransport`. */
export function createLazyTransport(
  ...options: Parameters<typeof import('../upstream/undici/transport.ts').createUndiciTransport>
): LazyTransport {
  let loaded: UndiciTransport | undefined;
  let loading: Promise<UndiciTransport> | undefined;

  async function open(): Promise<UndiciTransport> {
    const { createUndiciTransport } = await import('../upstream/undici/transport.ts');
    loaded = createUndiciTransport(...options);
    return loaded;
  }

  const transport: Transport = async (request) => {
    loading ??= open();
    return (loaded ?? (await loading)).transport(request);
  };
  return {
    transport,
    async load() {
      loading ??= open();
      await loading;
    },
    async close() {
      await (await loading)?.close();
    },
  };
}
