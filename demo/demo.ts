/**
 * `npm run demo`: a simulated Chroma Sync, the gateway in front of it, and a page that shows who asks whom, for a first
 * look without an account. The gateway is started as an operator would, and is used through its port alone.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { createSimulator } from '../simulator/simulator.ts';
import { grantRoute, signGrant } from '../src/grant/entry.ts';
import { startBackEnd } from './back-end.ts';
import { startGatewayChild } from './gateway-child.ts';
import { pageFiles } from './page-files.ts';
import { openShow, type Show } from './show.ts';
import { welcome } from './welcome.ts';

export interface DemoOptions {
  /** The file that starts the gateway. */
  readonly entry: string;
}

/** What runs. */
export interface Demo {
  /** Ends all of it. */
  stop(): void;
}

/** Resolves when there is something to see, or when it has failed and the exit status says so. */
export async function startDemo({ entry }: DemoOptions): Promise<Demo> {
  const wantedPort = Number(process.env.PORT ?? 8787);
  const wantedPagePort = wantedPort === 0 || wantedPort === 65_535 ? 0 : wantedPort + 1;
  const port = (await isFree(wantedPort)) ? wantedPort : 0;
  const chroma = createSimulator({ token: 'ck-made-up-for-the-demo' });
  await chroma.listen();
  const backEnd = await startBackEnd(wantedPagePort);
  const secret = randomBytes(32).toString('base64url');
  const { METRICS_PORT } = process.env;
  const gateway = startGatewayChild({
    entry,
    port,
    env: {
      CHROMA_API_KEY: chroma.token,
      UPSTREAM_URL: chroma.url,
      AUTH: 'grant',
      GRANT_SECRET: secret,
      CORS_ORIGINS: backEnd.origins.join(),
      // For who wants to see the dashboard with something in it.
      ...(METRICS_PORT && { METRICS_PORT }),
    },
  });
  let show: Show | undefined;
  let isStopping = false;

  const [gatewayUrl, files] = await Promise.all([gateway.listening, pageFiles()]);
  if (gatewayUrl !== undefined) {
    const grantFor = (subject: string) => signGrant({ secret, read: '*', expiresIn: '1h', subject });
    const opened = openShow({ chroma, gateway, gatewayUrl, grantFor, backEnd });
    backEnd.open({
      gatewayUrl,
      files,
      // Who asks may see what the demo shows. An application looks up here what its user may see.
      grant: grantRoute({
        secret,
        expiresIn: '15m',
        read: (_request, asked) => ({ invocations: opened.shown(asked.invocations) }),
      }),
      terminalGrant: () => grantFor('terminal'),
      state: opened.state,
      act: opened.act,
    });
    show = opened;
    const page = backEnd.origins[0];
    const takenPorts = [wantedPort, wantedPagePort].filter(
      (wanted) => wanted !== 0 && ![gatewayUrl, page].some((url) => new URL(url).port === String(wanted)),
    );
    console.log(welcome({ page, gateway: gatewayUrl, chroma: chroma.url, takenPorts }));
  }

  void gateway.over.then(async (failure) => {
    if (failure !== undefined) {
      console.error(failure);
      process.exitCode = 1;
    }
    show?.close();
    await Promise.all([backEnd.close(), chroma.close()]);
  });

  return {
    stop() {
      if (isStopping) return;
      isStopping = true;
      console.log('\nStopping.');
      void gateway.stop();
    },
  };
}

function isFree(candidate: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(false))
      .listen(candidate, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
