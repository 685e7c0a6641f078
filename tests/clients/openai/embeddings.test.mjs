import assert from 'node:assert/strict';
import { test } from 'node:test';
import { model } from '../connection.mjs';
import { client } from './client.mjs';

const embed = (more) => client.embeddings.create({ model, input: 'The old mill', ...more });
const near = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) < 1e-6);

test('numbers, base64 and what the client asks by itself are equal', async () => {
  const own = (await embed()).data[0].embedding; // the client asks for base64 and unpacks it
  const floats = (await embed({ encoding_format: 'float' })).data[0].embedding;
  const base64 = (await embed({ encoding_format: 'base64' })).data[0].embedding;
  assert.ok(near(own, floats));
  assert.ok(near([...new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer)], floats));
  assert.ok(Math.abs(floats.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
});

test('a list is answered in order', async () => {
  const texts = ['The old mill', 'A green bell', 'The old mill'];
  const { data, usage } = await embed({ input: texts });
  assert.deepEqual(data.map(({ index }) => index), [0, 1, 2]);
  assert.ok(near(data[0].embedding, data[2].embedding) && !near(data[0].embedding, data[1].embedding));
  assert.ok(usage.prompt_tokens > 3 && usage.total_tokens === usage.prompt_tokens);
});

test('as many as clients send at once', async () => {
  const input = Array.from({ length: 2048 }, (_, i) => `mill ${i}`);
  const { data } = await embed({ input });
  assert.equal(data.length, 2048);
  assert.ok(near(data[2047].embedding, (await embed({ input: input[2047] })).data[0].embedding));
});

test('fewer dimensions are the first ones, of length 1 again', async () => {
  const [whole, part] = [(await embed()).data[0].embedding, (await embed({ dimensions: 8 })).data[0].embedding];
  const length = Math.hypot(...whole.slice(0, 8));
  assert.ok(near(part, whole.slice(0, 8).map((value) => value / length)));
});

test('what cannot be done is refused', async () => {
  for (const [more, param] of [
    [{ input: [] }, 'input'], [{ dimensions: 100_000 }, 'dimensions'], [{ encoding_format: 'hex' }, 'encoding_format'],
    [{ input: { a: 1 } }, 'input'], [{ input: '' }, 'input'],
  ])
    await assert.rejects(embed(more), (error) => error.status === 400 && error.param === param, JSON.stringify(more));
});
