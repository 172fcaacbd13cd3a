/** Bare Express with JSON answers: by itself on `/bare`, and with one findOne of the driver on `/metadata/:id`. Says its port to its parent. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { loadConfig } from '#platform/config.ts';
import { connectMongo } from '#platform/mongo/client.ts';

const { db } = await connectMongo(loadConfig(process.env).mongo);
const entities = db.collection<{ _id: string }>('entities');
const sample = await entities.findOne({});

const app = express();
app.disable('etag');
app.disable('x-powered-by');
app.get('/bare', (_request, response) => {
  response.json(sample);
});
app.get('/metadata/:id', async (request, response) => {
  response.json(await entities.findOne({ _id: request.params.id }));
});
const server = app.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
