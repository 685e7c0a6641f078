import assert from 'node:assert/strict';
import { test } from 'node:test';
import { user } from '../connection.mjs';
import { thinker } from './client.mjs';

const thinking = { type: 'enabled', budget_tokens: 1024 };
const request = { model: 'default', messages: user('Hi'), max_tokens: 2048, temperature: 1, top_k: 1, thinking };

test('thoughts are blocks, whole and streamed', async () => {
  const { content } = await thinker.messages.create(request);
  assert.deepEqual(content.map(({ type, thinking, text }) => [type, thinking ?? text]), [['thinking', 'I wonder.'], ['text', 'Hello!']]);
  const told = [];
  const stream = thinker.messages.stream(request).on('thinking', (delta) => told.push(delta));
  assert.deepEqual((await stream.finalMessage()).content, content);
  assert.equal(told.join(''), 'I wonder.');
});

test('thoughts go back in', async () => {
  const { content } = await thinker.messages.create(request);
  const count = async (answer) => {
    const messages = [...user('Hi'), { role: 'assistant', content: answer }, ...user('And?')];
    return (await thinker.messages.countTokens({ model: 'default', messages })).input_tokens;
  };
  assert.ok(await count(content) > await count(content.filter(({ type }) => type === 'text')) + 4);
});

test('thoughts may be turned off', async () => {
  const { content } = await thinker.messages.create({ ...request, thinking: { type: 'disabled' } });
  assert.ok(content.every(({ type }) => type !== 'thinking'));
});
