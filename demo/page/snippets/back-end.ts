import { grantRoute } from 'chroma-sync-gateway/grant';
import { jobsOf, userOf } from './yours.ts';

export const POST = grantRoute({
  secret: process.env.GRANT_SECRET ?? '',
  expiresIn: '15m',
  async read(request) {
    return { invocations: await jobsOf(userOf(request)) };
  },
});
