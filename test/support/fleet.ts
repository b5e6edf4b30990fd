/** One gateway with several ways in, on either runtime. */
import { type Env, type Gateway, startNode, startWorkerd } from './gateway.ts';

/** A gateway with all its ways in: one on Node, one per isolate on workerd, where four share the objects. */
export async function startFleet(
  runtime: Gateway['runtime'],
  upstreamUrl: string,
  env: Env,
): Promise<{ readonly gateway: Gateway; readonly urls: readonly string[] }> {
  if (runtime === 'node') {
    const gateway = await startNode(upstreamUrl, env);
    return { gateway, urls: [gateway.url] };
  }
  const gateway = await startWorkerd(upstreamUrl, env, { isolates: 4 });
  return { gateway, urls: gateway.urls };
}
