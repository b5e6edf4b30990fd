import { createClient } from 'chroma-sync-gateway/client';
import { useInvocation } from 'chroma-sync-gateway/react';

const client = createClient({
  url: 'https://gateway.example',
  grant: '/api/grant',
});

interface Props {
  id: string;
  retry: (id: string) => void;
}

export function Job({ id, retry }: Props) {
  const { invocation, error, isStale, asOf } = useInvocation(client, id);
  if (error) return <p>{error.message}</p>;
  if (!invocation) return <p>…</p>;
  const { collectionName, state } = invocation;
  return (
    <p>
      {collectionName}: {state} {invocation.error}
      {isStale && <small> as of {asOf.toLocaleTimeString()}</small>}
      {state === 'failed' && (
        <button type="button" onClick={() => retry(id)}>
          Retry
        </button>
      )}
    </p>
  );
}
