import { createGateway } from 'chroma-sync-gateway';

const gateway = createGateway(process.env);
const server = Bun.serve({
  port: process.env.PORT,
  idleTimeout: 60, // seconds; with Bun's own 10 it would cut `Prefer: wait=25`
  fetch: gateway.fetch,
});
process.once('SIGTERM', async () => {
  await gateway.close();
  await server.stop();
});
