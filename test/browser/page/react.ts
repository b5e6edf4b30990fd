/** A page in React, as its developers would write it, and what a test may do to it (`frontEnd`). */
import { createElement as h, StrictMode, useEffect, useState } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { type Client, createClient, type Invocation } from '../../../client/entry.ts';
import { useInvocation } from '../../../client/react.ts';
import { setVisibility } from './visibility.ts';

const query = new URLSearchParams(location.search);
const options = { url: query.get('gateway')!, grant: query.get('grant') ?? undefined };
const client = createClient(options);
let renders = 0;

function Job({ of, id }: { of: Client; id: string | undefined }) {
  renders += 1;
  const { phase, invocation, error, isStale } = useInvocation(of, id);
  const text = invocation?.error ?? invocation?.state ?? error?.code ?? phase;
  return h('li', { 'data-id': id, 'data-phase': phase, 'data-stale': isStale }, text);
}

/** Another id each time that it renders, by itself, until it has shown the last one. */
function Changing({ ids }: { ids: readonly string[] }) {
  const [at, setAt] = useState(0);
  useEffect(() => {
    if (at < ids.length - 1) setAt(at + 1);
  }, [at, ids]);
  return h(Job, { of: client, id: ids[at] });
}

/** A client of its own, made and ended as a component's own things are. */
function WithOwnClient({ id }: { id: string }) {
  const [own] = useState(() => createClient(options));
  useEffect(() => () => own.close(), [own]);
  return h(Job, { of: own, id });
}

/** The page of docs/frontend.md, "A list of jobs", with what it advises for who comes back, and `data-id`. */
function JobsOf({ sourceId }: { sourceId: string }) {
  const [jobs, setJobs] = useState<Invocation[]>([]);
  useEffect(() => {
    const load = () => void client.list({ sourceId, limit: 20 }).then(setJobs, console.warn);
    load();
    addEventListener('focus', load);
    return () => removeEventListener('focus', load);
  }, [sourceId]);
  return jobs.map((job) => h(ListedJob, { key: job.id, job }));
}

function ListedJob({ job }: { job: Invocation }) {
  const { invocation = job } = useInvocation(client, job.isTerminal ? undefined : job.id);
  return h('li', { 'data-id': job.id }, invocation.state);
}

let root: Root | undefined;
function show(content: Parameters<Root['render']>[0]): void {
  root ??= createRoot(document.querySelector('main')!);
  root.render(h(StrictMode, null, content));
}

const frontEnd = {
  setVisibility,
  renders: () => renders,
  /** Components that show these; `null` for one without an id. */
  show(ids: readonly (string | null)[]): void {
    show(ids.map((id, key) => h(Job, { key, of: client, id: id ?? undefined })));
  },
  showChanging: (ids: readonly string[]) => show(h(Changing, { ids })),
  showJobsOf: (sourceId: string) => show(h(JobsOf, { key: sourceId, sourceId })),
  showOwn: (id: string) => show(h(WithOwnClient, { id })),
  hide(): void {
    root?.unmount();
    root = undefined;
  },
  /** Mounts and unmounts it so often within a second, and leaves it mounted. */
  async remount(id: string, times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.hide();
      this.show([id]);
      await new Promise((resolve) => setTimeout(resolve, 1_000 / times));
    }
  },
};

Object.assign(globalThis, { frontEnd });
