export { default, InvocationObject } from 'chroma-sync-gateway/worker';
