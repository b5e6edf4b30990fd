/** Asks the gateway as a caller would, by `fetch`, and reads what matters of the answer. Bytes: `raw-socket.ts`. */

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** An error's fields; empty objects where there is no JSON. */
  readonly error: {
    readonly error?: string;
    readonly message?: string;
    readonly request_id?: string;
    readonly retryable?: boolean;
  };
  readonly cacheStatus: string;
}

/** A lookup. */
export function ask(url: string, id: string, init?: RequestInit): Promise<Asked> {
  return askAt(`${url}/api/v1/invocations/${id}`, init);
}

/** Any address; a redirect is an answer. */
export async function askAt(address: string, init: RequestInit = {}): Promise<Asked> {
  const response = await fetch(address, { redirect: 'manual', ...init });
  const text = await response.text();
  let error = {};
  try {
    error = JSON.parse(text) as object;
  } catch {
    // not JSON: nothing to read
  }
  const { status, headers } = response;
  return { status, headers, text, error, cacheStatus: headers.get('cache-status') ?? '' };
}

/** The status of `/healthz`: alive or not. */
export async function healthz(url: string): Promise<number> {
  return (await askAt(`${url}/healthz`)).status;
}

/** Whether nobody listens there any more. */
export function isRefused(url: string): Promise<boolean> {
  return healthz(url).then(
    () => false,
    () => true,
  );
}

/** What `/readyz` says. */
export interface Readiness {
  readonly status: string;
  readonly upstream: Readonly<Record<string, unknown>>;
  readonly stores: readonly { readonly tier: string; readonly ok: boolean; readonly trouble?: string }[];
}

/** The status of `/readyz`, and its body. */
export async function readyz(url: string): Promise<{ readonly status: number; readonly body: Readiness }> {
  const { status, text } = await askAt(`${url}/readyz`);
  return { status, body: JSON.parse(text) as Readiness };
}

/** A fresh id each time, so that nothing is known of it. */
export function newId(): string {
  return crypto.randomUUID();
}
