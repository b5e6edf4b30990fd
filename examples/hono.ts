import { serve } from '@hono/node-server';
import { createGateway } from 'chroma-sync-gateway';
import { Hono } from 'hono';

const gateway = createGateway(process.env);
const app = new Hono();
app.mount('/gateway', gateway.fetch);

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT) });
process.once('SIGTERM', async () => {
  await gateway.close();
  server.close();
});
