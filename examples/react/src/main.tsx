import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { jobs } from './back-end';
import { Jobs } from './jobs';

const ids = await jobs();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <ul>
      <Jobs ids={ids} />
    </ul>
  </StrictMode>,
);
