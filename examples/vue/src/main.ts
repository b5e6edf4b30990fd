import { createApp } from 'vue';
import { jobs } from './back-end';
import Jobs from './Jobs.vue';

createApp(Jobs, { ids: await jobs() }).mount('#app');
