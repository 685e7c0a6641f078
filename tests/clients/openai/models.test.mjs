import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { collect, model } from '../connection.mjs';
import { client } from './client.mjs';

test('the one model is listed', async () => {
  const [only, ...others] = await collect(await client.models.list());
  assert.equal(others.length, 0);
  assert.equal(only.id, model);
  assert.equal(only.object, 'model');
  assert.ok(only.meta.n_ctx > 0 && only.meta.n_params > 0 && only.meta.size > 0, JSON.stringify(only));
});

test('it can be retrieved, and no other', async () => {
  assert.equal((await client.models.retrieve(model)).id, model);
  await assert.rejects(client.models.retrieve('gpt-4o'), (error) =>
    error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
});
