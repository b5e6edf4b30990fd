/**
 * What one would write with Hono: five of its own middlewares and an async handler over a `Map`.
 * `PORT`, `UPSTREAM_URL`.
 */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { etag } from 'hono/etag';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { timeout } from 'hono/timeout';

const { PORT, UPSTREAM_URL } = process.env;
const cache = new Map<string, string>();
const app = new Hono();
app.use(requestId());
app.use(secureHeaders());
app.use(cors({ origin: 'https://app.example' }));
app.use(etag());
app.use(timeout(8_000));
app.get('/api/v1/invocations/:id', async (c) => {
  const id = c.req.param('id');
  let body = cache.get(id);
  if (body === undefined) {
    body = await (await fetch(`${UPSTREAM_URL}/api/v1/invocations/${id}`)).text();
    cache.set(id, body);
  }
  return c.body(body, 200, {
    'Content-Type': 'application/json',
    'Cache-Control': 'private, max-age=31536000, immutable',
  });
});

serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' });
