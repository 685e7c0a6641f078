import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, longText, model } from '../connection.mjs';
import { client } from './client.mjs';

const ask = (more) => client.responses.create({ model, input: 'Who are you?', temperature: 0, max_output_tokens: 60, ...more });

test('an answer has a text and a usage', async () => {
  const answer = await ask();
  assert.ok(answer.output_text.length > 0);
  assert.equal(answer.object, 'response');
  assert.equal(answer.status, 'completed');
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
  assert.equal(answer.output[0].content[0].type, 'output_text');
});

test('a stream tells what happens in order and says the same', async () => {
  const whole = await ask();
  const events = await collect(await ask({ stream: true }));
  assert.deepEqual(events.map(({ sequence_number }) => sequence_number), events.map((_, i) => i));
  const types = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]);
  assert.deepEqual(types,
    ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta',
    'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.completed']);
  assert.equal(events.filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta).join(''), whole.output_text);
  assert.equal(events.at(-1).response.output[0].content[0].text, whole.output_text);
  assert.deepEqual(events.at(-1).response.usage.output_tokens, whole.usage.output_tokens);
});

test('the helper that gathers a stream gathers the whole answer', async () => {
  const whole = await ask();
  const gathered = await client.responses.stream({ model, input: 'Who are you?', temperature: 0, max_output_tokens: 60 }).finalResponse();
  assert.equal(gathered.output_text, whole.output_text);
});

test('a conversation goes on from an answer, and reads it from the cache', async () => {
  const instructions = 'Answer like a saga.', input = longText();
  const first = await ask({ input, instructions });
  const second = await ask({ input: 'And then?', previous_response_id: first.id, instructions });
  assert.equal(second.previous_response_id, first.id);
  assert.ok(second.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens - 16, JSON.stringify(second.usage));
  const again = [{ role: 'user', content: [{ type: 'input_text', text: input }] }, ...first.output, { role: 'user', content: 'And then?' }];
  const told = await ask({ instructions, input: again });
  assert.equal(told.usage.input_tokens, second.usage.input_tokens);
  assert.equal(told.output_text, second.output_text);
});

test('what is not stored, or not known, cannot be gone on from', async () => {
  const { id } = await ask({ store: false });
  for (const previous_response_id of [id, 'resp_unknown'])
    await assert.rejects(ask({ previous_response_id }), (error) => error.status === 404 && error.param === 'previous_response_id');
});

test('an answer is read again, with what was asked, until it is deleted', async () => {
  const first = await ask(), second = await ask({ input: 'And then?', previous_response_id: first.id });
  assert.equal((await client.responses.retrieve(second.id)).output_text, second.output_text);
  const items = await collect(client.responses.inputItems.list(second.id, { order: 'asc', limit: 1 }));
  assert.deepEqual(items.map(({ role }) => role), ['user', 'assistant', 'user']);
  assert.equal(items[1].content[0].text, first.output_text);
  await client.responses.delete(second.id);
  await assert.rejects(client.responses.retrieve(second.id), (error) => error.status === 404);
});

test('an answer that is cut is incomplete', async () => {
  const answer = await ask({ max_output_tokens: 2, stream: false });
  assert.equal(answer.status, 'incomplete');
  assert.equal(answer.incomplete_details.reason, 'max_output_tokens');
  const events = await collect(await ask({ max_output_tokens: 2, stream: true }));
  assert.equal(events.at(-1).type, 'response.incomplete');
});

test('tokens are counted', async () => {
  const { input_tokens } = await client.responses.inputTokens.count({ model, input: 'Who are you?' });
  assert.equal(input_tokens, (await ask()).usage.input_tokens);
});

test('bad requests name the field', async () => {
  for (const [more, param] of [
    [{ input: [] }, 'input'], [{ input: [{ role: 'user', content: 3 }] }, 'input[0].content'],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'input[0].content[0].type'],
    [{ max_output_tokens: 0 }, 'max_output_tokens'], [{ text: { format: { type: 'xml' } } }, 'text.format.type'],
    [{ tools: [{ type: 'local_shell' }] }, 'tools[0].type'],
  ])
    await assert.rejects(ask(more), (error) => error.status === 400 && error.param === param, JSON.stringify(more));
});
