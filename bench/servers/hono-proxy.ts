/** hono/proxy as its documentation has it: every request passed through, our token added. `PORT`, `UPSTREAM_URL`. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { proxy } from 'hono/proxy';

const { PORT, UPSTREAM_URL } = process.env;
const app = new Hono();
app.get('/api/v1/invocations/:id', (c) =>
  proxy(`${UPSTREAM_URL}${c.req.path}`, {
    redirect: 'manual',
    headers: { ...c.req.header(), 'x-chroma-token': 'ck-made-up' },
  }),
);

serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' });
