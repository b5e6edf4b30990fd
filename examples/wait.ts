import { createClient } from 'chroma-sync-gateway/client';
import { signGrant } from 'chroma-sync-gateway/grant';

const secret = process.env.GRANT_SECRET ?? '';
const client = createClient({
  url: process.env.GATEWAY_URL ?? 'http://127.0.0.1:8787',
  grant: (invocations) => signGrant({ secret, read: { invocations }, expiresIn: '15m' }),
});

const job = await client.wait(process.argv[2] ?? '', { signal: AbortSignal.timeout(600_000) });
console.log(job.state === 'failed' ? job.error : job.state);
