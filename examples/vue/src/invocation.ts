import { createClient, type Snapshot } from 'chroma-sync-gateway/client';
import { type Ref, shallowRef, watchEffect } from 'vue';

const client = createClient({ url: import.meta.env.VITE_GATEWAY_URL, grant: '/api/grant' });

/** What is known of a job; watched for as long as the component is there. */
export function useInvocation(id: Ref<string | undefined>): Readonly<Ref<Snapshot>> {
  const snapshot = shallowRef(client.snapshot(id.value));
  watchEffect((onCleanup) => {
    const watched = id.value;
    const update = () => {
      snapshot.value = client.snapshot(watched);
    };
    onCleanup(client.subscribe(watched, update));
    update();
  });
  return snapshot;
}
