import { createGateway, type Gateway } from 'chroma-sync-gateway';

let gateway: Gateway | undefined;

/** By the first request: `next build` loads this file too, where no variable is set. */
function open(): Gateway {
  const opened = createGateway(process.env);
  process.once('SIGTERM', () => void opened.close()); // otherwise Next waits for every open stream
  return opened;
}

function answer(request: Request): Promise<Response> {
  gateway ??= open();
  return gateway.fetch(request);
}

export { answer as DELETE, answer as GET, answer as HEAD, answer as OPTIONS, answer as POST, answer as PUT };
