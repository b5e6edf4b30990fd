import { createGateway } from 'chroma-sync-gateway';

const gateway = createGateway(Deno.env.toObject());
const server = Deno.serve({ port: Number(Deno.env.get('PORT')) }, gateway.fetch);
Deno.addSignalListener('SIGTERM', async () => {
  await gateway.close();
  await server.shutdown();
});
