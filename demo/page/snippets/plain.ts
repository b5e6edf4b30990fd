import { createClient } from 'chroma-sync-gateway/client';

const client = createClient({
  url: 'https://gateway.example',
  grant: '/api/grant',
});

export function show(id: string, line: HTMLElement) {
  return client.subscribe(id, () => {
    const { invocation, isStale } = client.snapshot(id);
    const state = invocation?.state ?? '…';
    line.textContent = isStale ? `${state}?` : state;
  });
}
