import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { collect, get, longText, model, untilIdle, user } from '../connection.mjs';
import { fits, mood } from '../schemas.mjs';
import { client, stranger } from './client.mjs';

const ask = (more) => client.messages.create({ model, messages: user(), temperature: 0, max_tokens: 40, ...more });
const total = ({ input_tokens, cache_creation_input_tokens, cache_read_input_tokens }) =>
  input_tokens + cache_creation_input_tokens + cache_read_input_tokens;

test('an answer has a text, a reason and a usage', async () => {
  const { type, role, content: [block], stop_reason, usage } = await ask();
  assert.deepEqual([type, role, block.type, stop_reason], ['message', 'assistant', 'text', 'end_turn']);
  assert.ok(block.text.length > 0 && usage.output_tokens > 0);
  assert.equal(total(usage), (await client.messages.countTokens({ model, messages: user() })).input_tokens);
});

test('a stream tells what happens in order and says the same', async () => {
  const whole = await ask();
  const events = await collect(await ask({ stream: true }));
  assert.deepEqual(events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]),
    ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop']);
  const message = await client.messages.stream({ model, messages: user(), temperature: 0, max_tokens: 40 }).finalMessage();
  assert.deepEqual(message.content, whole.content);
  assert.equal(message.stop_reason, whole.stop_reason);
  assert.equal(message.usage.output_tokens, whole.usage.output_tokens);
});

test('system blocks with cache_control are read from the cache the second time', async () => {
  const system = [{ type: 'text', text: longText(), cache_control: { type: 'ephemeral', ttl: '1h' } }];
  const first = await ask({ system }), second = await ask({ system });
  assert.ok(first.usage.cache_creation_input_tokens > 100, JSON.stringify(first.usage));
  assert.ok(second.usage.cache_read_input_tokens > 100, JSON.stringify(second.usage));
  assert.equal(total(first.usage), total(second.usage));
  assert.deepEqual(first.content, second.content);
  const counted = await client.messages.countTokens({ model, messages: user(), system });
  assert.equal(counted.input_tokens, total(first.usage));
});

test('a stop text is named, and a limit cuts', async () => {
  const { content: [{ text }] } = await ask();
  const stopped = await ask({ stop_sequences: [text.slice(4, 8)] });
  assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', text.slice(4, 8)]);
  assert.equal((await ask({ max_tokens: 2 })).stop_reason, 'max_tokens');
});

test('turns and blocks are a conversation', async () => {
  const turns = [
    ...user('Hello.'), { role: 'assistant', content: [{ type: 'text', text: 'Hail.' }] },
    { role: 'user', content: [{ type: 'text', text: 'Who are ' }, { type: 'text', text: 'you?' }] },
  ];
  const plain = [...user('Hello.'), { role: 'assistant', content: 'Hail.' }, ...user()];
  assert.deepEqual((await ask({ messages: turns })).content, (await ask({ messages: plain })).content);
});

test('errors are typed', async () => {
  const isA = (type, name) => (error) => {
    assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
    assert.equal(error.error.type, 'error');
    assert.equal(error.error.error.type, name);
    return true;
  };
  await assert.rejects(ask({ max_tokens: 0 }), isA(Anthropic.BadRequestError, 'invalid_request_error'));
  await assert.rejects(ask({ max_tokens: undefined }), isA(Anthropic.BadRequestError, 'invalid_request_error'));
  await assert.rejects(ask({ messages: user('mill '.repeat(5000)) }), isA(Anthropic.BadRequestError, 'invalid_request_error'));
  await assert.rejects(ask({ model: 'claude-9' }), isA(Anthropic.NotFoundError, 'not_found_error'));
  await assert.rejects(ask({ stream: true, temperature: -9 }), isA(Anthropic.BadRequestError, 'invalid_request_error'));
  await assert.rejects(stranger.messages.create({ model, messages: user(), max_tokens: 1 }),
    isA(Anthropic.AuthenticationError, 'authentication_error'));
});

test('the models are listed to this client too', async () => {
  assert.deepEqual((await collect(await client.models.list())).map(({ id }) => id), [model]);
  assert.equal((await client.models.retrieve(model)).type, 'model');
  await assert.rejects(client.models.retrieve('claude-9'), Anthropic.NotFoundError);
});

test('a stream that is left ends at once', async () => {
  const cancelled = await untilIdle();
  const stream = client.messages.stream({ model, messages: user(), max_tokens: 1900, temperature: 1, ignore_eos: true });
  await new Promise((resolve) => stream.once('text', resolve));
  assert.ok((await get('/v1/kv/stats')).requests.running >= 1);
  stream.abort();
  await assert.rejects(stream.done(), Anthropic.APIUserAbortError);
  assert.equal(await untilIdle(cancelled + 1), cancelled + 1);
});

test('an answer keeps to a schema', async () => {
  const format = zodOutputFormat(mood);
  const { parsed_output } = await client.messages.parse(
    { model, messages: user('Describe Einar.'), max_tokens: 100, output_config: { format } });
  fits(mood, parsed_output);
});
