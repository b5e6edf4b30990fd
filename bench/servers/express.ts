/** What one would put together with Express: apicache in front of http-proxy-middleware. `PORT`, `UPSTREAM_URL`. */
import apicache from 'apicache';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';

const { PORT, UPSTREAM_URL = '' } = process.env;
const app = express();
app.use(apicache.middleware('1 hour'));
app.use(createProxyMiddleware({ target: UPSTREAM_URL, changeOrigin: true }));
app.listen(Number(PORT), '127.0.0.1');
