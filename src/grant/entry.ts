/** The package's `./grant`: for an application's own back end, and nothing of the gateway. */

export { type GrantRouteOptions, grantRoute } from './route.ts';
export { type Duration, type ReadLists, type SignGrantOptions, signGrant } from './sign.ts';
