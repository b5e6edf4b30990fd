/** Asks the gateway as a caller would, and reads what matters of the answer. */

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

export async function ask(url: string, id: string, init: RequestInit = {}): Promise<Asked> {
  const response = await fetch(`${url}/api/v1/invocations/${id}`, { redirect: 'manual', ...init });
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

/** A fresh id each time, so that nothing is known of it. */
export function newId(): string {
  return crypto.randomUUID();
}
