import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { model, user } from '../connection.mjs';
import { fits, person, personSchema } from '../schemas.mjs';
import { client } from './client.mjs';

const ask = (more) => client.chat.completions.create({ model, messages: user('Describe Einar.'), temperature: 1, seed: 1, ...more });

test('JSON mode gives an object', async () => {
  const { choices: [choice] } = await ask({ response_format: { type: 'json_object' }, max_tokens: 400 });
  if (choice.finish_reason === 'stop') assert.equal(typeof JSON.parse(choice.message.content), 'object');
  else assert.match(choice.message.content, /^\s*\{/);
});

test('a schema is kept to, whatever is drawn', async () => {
  const schema = { name: 'person', strict: true, schema: personSchema };
  const { choices } = await ask({ n: 8, response_format: { type: 'json_schema', json_schema: schema } });
  for (const { message, finish_reason } of choices) {
    assert.equal(finish_reason, 'stop');
    fits(person, message.content);
  }
});

test('the helper parses it', async () => {
  const { choices: [{ message }] } = await client.chat.completions.parse(
    { model, messages: user(), seed: 2, response_format: zodResponseFormat(person, 'person') });
  fits(person, message.parsed);
});

test('the helper parses a stream', async () => {
  const stream = client.chat.completions.stream({ model, messages: user(), seed: 3, response_format: zodResponseFormat(person, 'person') });
  const { choices: [{ message }] } = await stream.finalChatCompletion();
  fits(person, message.parsed);
});

test('responses keep to a schema too', async () => {
  const answer = await client.responses.parse({ model, input: 'Describe Einar.', text: { format: zodTextFormat(person, 'person') } });
  fits(person, answer.output_parsed);
});

test('a schema that cannot be kept to is refused', async () => {
  const format = (schema) => ({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } });
  await assert.rejects(ask(format({ type: 'object', properties: { a: { $ref: '#/nowhere' } } })), (error) =>
    error.status === 400 && error.param === 'response_format.json_schema.schema' && error.code === 'invalid_schema');
  await assert.rejects(ask({ response_format: { type: 'xml' } }), (error) =>
    error.status === 400 && error.param === 'response_format.type');
  await assert.rejects(ask({ response_format: { type: 'json_schema' } }), (error) =>
    error.status === 400 && error.param.startsWith('response_format.json_schema'));
});
