import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, user } from '../connection.mjs';
import { thinker } from './client.mjs';

const chat = (more) => thinker.chat.completions.create({ model: 'default', messages: user('Hi'), temperature: 0, ...more });
const ask = (more) => thinker.responses.create({ model: 'default', input: 'Hi', temperature: 0, ...more });

test('thoughts stand apart in a chat, whole and streamed', async () => {
  const { choices: [{ message }], usage } = await chat();
  assert.deepEqual([message.reasoning_content, message.content], ['I wonder.', 'Hello!']);
  assert.ok(usage.completion_tokens_details.reasoning_tokens > 0);
  const deltas = (await collect(await chat({ stream: true }))).map(({ choices: [choice] }) => choice?.delta ?? {});
  const joined = (name) => deltas.map((delta) => delta[name] ?? '').join('');
  assert.deepEqual([joined('reasoning_content'), joined('content')], ['I wonder.', 'Hello!']);
  assert.equal((await chat({ reasoning_effort: 'none' })).choices[0].message.reasoning_content, undefined);
});

test('thoughts are items of responses, and go back in', async () => {
  const answer = await ask();
  assert.deepEqual(answer.output.map(({ type, content: [{ text }] }) => [type, text]), [['reasoning', 'I wonder.'], ['message', 'Hello!']]);
  assert.equal(answer.output_text, 'Hello!');
  const events = await collect(await ask({ stream: true }));
  assert.equal(events.filter(({ type }) => type === 'response.reasoning_text.delta').map(({ delta }) => delta).join(''), 'I wonder.');
  const again = [...user('Hi'), ...answer.output, ...user('And?')], without = again.filter(({ type }) => type !== 'reasoning');
  const count = async (input) => (await thinker.responses.inputTokens.count({ model: 'default', input })).input_tokens;
  assert.ok(await count(again) > await count(without) + 4);
});

test('where a summary of thoughts is wanted they are the summary', async () => {
  const wanted = { reasoning: { summary: 'auto' } };
  const { output: [{ summary, content }] } = await ask(wanted);
  assert.deepEqual([summary, content], [[{ type: 'summary_text', text: 'I wonder.' }], []]);
  const events = await collect(await ask({ ...wanted, stream: true }));
  assert.deepEqual(events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]).slice(2, 8),
    ['response.output_item.added', 'response.reasoning_summary_part.added', 'response.reasoning_summary_text.delta',
    'response.reasoning_summary_text.done', 'response.reasoning_summary_part.done', 'response.output_item.done']);
  const deltas = events.filter(({ type }) => type === 'response.reasoning_summary_text.delta');
  assert.equal(deltas.map(({ delta }) => delta).join(''), 'I wonder.');
});
