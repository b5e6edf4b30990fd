'use client';
import { createClient } from 'chroma-sync-gateway/client';
import { useInvocation } from 'chroma-sync-gateway/react';

const client = createClient({ url: '/', grant: '/api/grant' });

export function Job({ id }: { id: string }) {
  const { phase, invocation, error } = useInvocation(client, id);
  return <p>{error?.message ?? invocation?.state ?? phase}</p>;
}
