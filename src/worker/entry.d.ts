/** What `chroma-sync-gateway/worker` exports, for a Worker project of one's own; the types named are Cloudflare's. */
import { DurableObject } from 'cloudflare:workers';

/** The bindings and variables that the Worker reads; everything else in an environment is left alone. */
export interface GatewayEnv {
  readonly INVOCATIONS: DurableObjectNamespace<InvocationObject>;
}

/** One invocation's object: bind it as `INVOCATIONS`, with SQLite storage. */
export declare class InvocationObject extends DurableObject {}

declare const worker: {
  fetch(request: Request, env: GatewayEnv, ctx: ExecutionContext): Promise<Response>;
};
export default worker;
