/**
 * What one would write with Fastify: a route, a `Map` for a cache, the contract's headers by hand.
 * `PORT`, `UPSTREAM_URL`.
 */
import { randomUUID } from 'node:crypto';
import fastify from 'fastify';

const { PORT, UPSTREAM_URL } = process.env;
const cache = new Map<string, { body: string; etag: string; storedAt: number }>();
const app = fastify({ logger: false, keepAliveTimeout: 65_000 });

async function load(id: string) {
  const response = await fetch(`${UPSTREAM_URL}/api/v1/invocations/${id}`);
  const entry = {
    body: await response.text(),
    etag: response.headers.get('etag') ?? '""',
    storedAt: Date.now(),
  };
  cache.set(id, entry);
  return entry;
}

app.get('/api/v1/invocations/:id', async (request, reply) => {
  const { id = '' } = request.params as Record<string, string>;
  const entry = cache.get(id) ?? (await load(id));
  reply.headers({
    Vary: 'Origin, Authorization, x-chroma-token',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': randomUUID(),
    ETag: entry.etag,
    'Cache-Control': 'private, max-age=31536000, immutable',
    Age: String(Math.floor((Date.now() - entry.storedAt) / 1_000)),
    'Cache-Status': 'fastify; hit',
    'Content-Type': 'application/json',
  });
  return request.headers['if-none-match'] === entry.etag ? reply.code(304).send() : reply.send(entry.body);
});

await app.listen({ port: Number(PORT), host: '127.0.0.1' });
