import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { jobs } from './back-end';
import { Jobs } from './jobs';

const ids = await jobs();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={new QueryClient()}>
      <ul>
        <Jobs ids={ids} />
      </ul>
    </QueryClientProvider>
  </StrictMode>,
);
