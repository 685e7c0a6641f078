import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ollama } from 'ollama';
import { callerUrl, collect, get, key, model, thinkerUrl, untilIdle, url, user } from '../connection.mjs';

const at = (host) => new Ollama({ host, headers: { Authorization: `Bearer ${key}` } });
const client = at(url);
const options = { temperature: 0, repeat_penalty: 1, num_predict: 12 };

test('a chat is the same in pieces and whole', async () => {
  const whole = await client.chat({ model, messages: user(), options });
  const pieces = await collect(await client.chat({ model, messages: user(), options, stream: true }));
  assert.equal(pieces.map(({ message }) => message.content).join(''), whole.message.content);
  assert.ok(pieces.at(-1).done && pieces.at(-1).eval_count === whole.eval_count && whole.eval_count > 0);
  assert.ok(whole.total_duration >= whole.eval_duration && whole.prompt_eval_count > 0);
});

test('a text is completed, in a form where one is wanted', async () => {
  const { response, context } = await client.generate({ model, prompt: 'Who are you?', options });
  assert.ok(response.length > 0 && context.length > 12);
  const city = { type: 'string', maxLength: 9 };
  const schema = { type: 'object', properties: { city }, required: ['city'], additionalProperties: false };
  const formed = await client.generate({ model, prompt: 'Where?', format: schema, options: { ...options, num_predict: 60 } });
  assert.equal(typeof JSON.parse(formed.response).city, 'string');
});

test('models are listed and shown', async () => {
  assert.deepEqual((await client.list()).models.map(({ name }) => name), [`${model}:latest`]);
  assert.equal((await client.ps()).models.length, 1);
  const shown = await client.show({ model });
  assert.ok(shown.capabilities.includes('completion') && shown.model_info['general.architecture'] === 'llama');
});

test('texts become vectors', async () => {
  const { embeddings } = await client.embed({ model, input: ['The old mill', 'A green bell'] });
  assert.equal(embeddings.length, 2);
  assert.ok(Math.abs(embeddings[0].reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
  assert.equal((await client.embeddings({ model, prompt: 'The old mill' })).embedding.length, embeddings[0].length);
});

test('thoughts stand apart, whole and streamed', async () => {
  const wanted = { model: 'default', messages: user('Hi'), think: true, options: { temperature: 0 } };
  const { message } = await at(thinkerUrl).chat(wanted);
  assert.deepEqual([message.thinking, message.content], ['I wonder.', 'Hello!']);
  const pieces = (await collect(await at(thinkerUrl).chat({ ...wanted, stream: true }))).map((piece) => piece.message);
  const joined = (name) => pieces.map((piece) => piece[name] ?? '').join('');
  assert.deepEqual([joined('thinking'), joined('content')], ['I wonder.', 'Hello!']);
  assert.equal((await at(thinkerUrl).chat({ ...wanted, think: false })).message.thinking, undefined);
});

test('tools are called, and their results go back in', async () => {
  const caller = at(callerUrl), messages = user('When?');
  const tool = { type: 'function', function: { name: 'noon', description: 'When it is.', parameters: { type: 'object', properties: {} } } };
  const wanted = { model: 'default', tools: [tool], options: { temperature: 0, num_predict: 60 } };
  const { message } = await caller.chat({ ...wanted, messages });
  assert.deepEqual(message.tool_calls.map((call) => [call.function.name, call.function.arguments]), [['noon', {}]]);
  const pieces = await collect(await caller.chat({ ...wanted, messages, stream: true }));
  assert.deepEqual(pieces.flatMap((piece) => piece.message.tool_calls ?? []).map((call) => call.function.name), ['noon']);
  const said = [...messages, message, { role: 'tool', tool_name: 'noon', content: 'At twelve.' }];
  const next = await caller.chat({ ...wanted, messages: said });
  assert.ok(next.prompt_eval_count > 20 && next.done);
});

test('what cannot be done is told', async () => {
  await assert.rejects(client.chat({ model: 'another', messages: user() }),
    { status_code: 404, error: /^model 'another' not found, expected / });
  await assert.rejects(client.generate({ model, prompt: 'x', images: ['aGk='] }), { status_code: 400, error: /images/ });
  await assert.rejects(client.pull({ model: 'another' }), { status_code: 501 });
});

test('an answer that is aborted ends', async () => {
  const cancelled = (await get('/v1/kv/stats')).requests.cancelled;
  const stream = await client.chat({ model, messages: user(), stream: true, options: { num_predict: 2000, ignore_eos: true } });
  await assert.rejects(async () => {
    for await (const _ of stream) stream.abort();
  }, { name: 'AbortError' });
  await untilIdle(cancelled + 1);
});
