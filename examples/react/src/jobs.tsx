import { createClient } from 'chroma-sync-gateway/client';
import { useInvocation } from 'chroma-sync-gateway/react';
import { useState } from 'react';
import { retry } from './back-end';

const client = createClient({ url: import.meta.env.VITE_GATEWAY_URL, grant: '/api/grant' });

export const Jobs = ({ ids }: { ids: string[] }) => ids.map((id) => <Job key={id} first={id} />);

function Job({ first }: { first: string }) {
  const [id, setId] = useState(first);
  const [now, setNow] = useState(Date.now);
  const { phase, invocation, error, isStale, asOf } = useInvocation(client, id);
  const ms = invocation?.durationMs ?? (phase === 'live' ? now - Number(invocation.createdAt) : NaN);
  const again = async () => setId(await retry(id));
  return (
    <li className={phase} onAnimationIteration={() => setNow(Date.now())}>
      {error?.message ?? invocation?.state ?? phase}
      {!Number.isNaN(ms) && `, ${Math.max(0, Math.round(ms / 1000))} s`}
      {isStale && `, as of ${asOf.toLocaleTimeString()}`}
      <p>{invocation?.error}</p>
      <button type="button" hidden={invocation?.state !== 'failed'} onClick={again}>
        Retry
      </button>
    </li>
  );
}
