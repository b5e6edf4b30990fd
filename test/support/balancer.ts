/**
 * A balancer as a model: polls `/readyz`, sends a request to a ready backend over kept connections, and never
 * retries; what a backend loses is a lost request.
 */
import { Agent, request } from 'node:http';

export interface Balancer {
  add(url: string): void;
  remove(url: string): void;
  isReady(url: string): boolean;
  /** Resolves to the status; rejects when the connection fails. */
  send(path: string): Promise<number>;
  close(): void;
}

interface Backend {
  readonly url: string;
  readonly agent: Agent;
  ready: boolean;
}

/** @param pollMs how old its knowledge of a backend may be */
export function createBalancer(pollMs: number): Balancer {
  const backends = new Map<string, Backend>();
  let turn = 0;
  const poll = setInterval(() => {
    for (const backend of backends.values()) {
      void statusOf(backend, '/readyz').then(
        (status) => {
          backend.ready = status === 200;
        },
        () => {
          backend.ready = false;
        },
      );
    }
  }, pollMs);
  return {
    add: (url) => void backends.set(url, { url, agent: new Agent({ keepAlive: true }), ready: false }),
    remove(url) {
      backends.get(url)?.agent.destroy();
      backends.delete(url);
    },
    isReady: (url) => backends.get(url)?.ready ?? false,
    send(path) {
      const ready = [...backends.values()].filter((backend) => backend.ready);
      const backend = ready[turn++ % ready.length];
      return backend ? statusOf(backend, path) : Promise.reject(new Error('no backend is ready'));
    },
    close() {
      clearInterval(poll);
      for (const { agent } of backends.values()) agent.destroy();
    },
  };
}

function statusOf({ url, agent }: Backend, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url + path, { agent }, (response) => {
      response.on('error', reject);
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.resume();
    })
      .on('error', reject)
      .end();
  });
}
