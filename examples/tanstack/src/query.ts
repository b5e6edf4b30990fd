import { queryOptions, experimental_streamedQuery as streamedQuery } from '@tanstack/react-query';
import { createClient, type Invocation } from 'chroma-sync-gateway/client';

const client = createClient({ url: import.meta.env.VITE_GATEWAY_URL, grant: '/api/grant' });

/** Its data is the job as it is now; it is `fetching` until the job has ended. */
export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['job', id],
    queryFn: streamedQuery<Invocation, Invocation | undefined>({
      streamFn: ({ signal }) => client.watch(id, { signal }),
      reducer: (_, job) => job,
      initialValue: undefined,
    }),
    staleTime: Infinity, // the stream keeps it fresh
    retry: false, // the client has tried
    networkMode: 'always', // the client knows what to do while offline
  });
