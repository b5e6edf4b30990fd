import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { retry } from './back-end';
import { jobQuery } from './query';

export const Jobs = ({ ids }: { ids: string[] }) => ids.map((id) => <Job key={id} first={id} />);

function Job({ first }: { first: string }) {
  const [id, setId] = useState(first);
  const [now, setNow] = useState(Date.now);
  const { data, error } = useQuery(jobQuery(id));
  const isLive = data?.isTerminal === false;
  const ms = data?.durationMs ?? (isLive ? now - Number(data.createdAt) : NaN);
  const again = async () => setId(await retry(id));
  return (
    <li className={isLive ? 'live' : ''} onAnimationIteration={() => setNow(Date.now())}>
      {error?.message ?? data?.state ?? 'loading'}
      {!Number.isNaN(ms) && `, ${Math.max(0, Math.round(ms / 1000))} s`}
      <p>{data?.error}</p>
      <button type="button" hidden={data?.state !== 'failed'} onClick={again}>
        Retry
      </button>
    </li>
  );
}
