import { grantRoute } from 'chroma-sync-gateway/grant';
import { jobsOf, userOf } from '../../../lib/users';

export const POST = grantRoute({
  secret: process.env.GRANT_SECRET ?? '',
  expiresIn: '15m',
  async read(request, { invocations }) {
    const user = await userOf(request);
    if (user === undefined) return undefined;
    const mine = await jobsOf(user);
    return { invocations: invocations.filter((id) => mine.has(id)) };
  },
});
