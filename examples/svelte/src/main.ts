import { mount } from 'svelte';
import { jobs } from './back-end';
import Jobs from './Jobs.svelte';

mount(Jobs, { target: document.getElementById('app')!, props: { ids: await jobs() } });
