import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, longText, model, user } from '../connection.mjs';
import { client } from './client.mjs';

const ask = (more) => client.chat.completions.create({ model, messages: user(), temperature: 0, max_tokens: 40, ...more });
const textOf = (chunks, index = 0) => chunks.flatMap(({ choices }) => choices)
  .filter((choice) => choice.index === index).map(({ delta }) => delta.content ?? '').join('');

test('an answer has a text, a reason and a usage', async () => {
  const { choices: [choice], usage, object, system_fingerprint } = await ask();
  assert.equal(object, 'chat.completion');
  assert.equal(choice.message.role, 'assistant');
  assert.ok(choice.message.content.length > 0);
  assert.match(choice.finish_reason, /^(stop|length)$/);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.match(system_fingerprint, /^fp_/);
});

test('a stream says the same, and its usage when asked', async () => {
  const whole = await ask();
  const chunks = await collect(await ask({ stream: true, stream_options: { include_usage: true } }));
  assert.equal(textOf(chunks), whole.choices[0].message.content);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
  assert.equal(chunks.at(-2).choices[0].finish_reason, whole.choices[0].finish_reason);
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
});

test('a stream that nobody asked has no usage', async () => {
  const chunks = await collect(await ask({ stream: true }));
  assert.ok(chunks.every(({ usage }) => usage == null));
});

test('the helper that gathers a stream gathers the whole answer', async () => {
  const whole = await ask();
  const gathered = await client.chat.completions.stream({ model, messages: user(), temperature: 0, max_tokens: 40 }).finalChatCompletion();
  assert.equal(gathered.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(gathered.choices[0].finish_reason, whole.choices[0].finish_reason);
});

test('a prompt that was seen before is read from the cache', async () => {
  const messages = user(longText());
  const usages = [await ask({ messages }), await ask({ messages })].map(({ usage }) => usage.prompt_tokens_details.cached_tokens);
  assert.ok(usages[1] > usages[0] + 64, usages.join());
});

test('a stop text ends the answer and is no part of it', async () => {
  const { choices: [{ message }] } = await ask();
  const stop = message.content.slice(4, 8);
  for (const stops of [stop, ['never said', stop]]) {
    const stopped = (await ask({ stop: stops })).choices[0];
    assert.equal(stopped.message.content, message.content.slice(0, message.content.indexOf(stop)));
    assert.equal(stopped.finish_reason, 'stop');
  }
});

test('equal seeds say the same, and other choices something else', async () => {
  const draw = async (seed) => (await ask({ seed, temperature: 2, n: 3, max_tokens: 24 })).choices.map(({ message }) => message.content);
  const [first, again, other] = [await draw(7), await draw(7), await draw(8)];
  assert.equal(first.length, 3);
  assert.deepEqual(first, again);
  assert.equal(new Set(first).size, 3);
  assert.notDeepEqual(first, other);
});

test('several choices stream side by side', async () => {
  const more = { seed: 3, temperature: 1, n: 3, max_tokens: 16 };
  const whole = await ask(more);
  const chunks = await collect(await ask({ ...more, stream: true, stream_options: { include_usage: true } }));
  for (const { index, message } of whole.choices) assert.equal(textOf(chunks, index), message.content);
  assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
});

test('max_completion_tokens and max_tokens cut', async () => {
  for (const name of ['max_completion_tokens', 'max_tokens']) {
    const { choices: [choice], usage } = await ask({ max_tokens: undefined, [name]: 2 });
    assert.equal(usage.completion_tokens, 2);
    assert.equal(choice.finish_reason, 'length');
  }
});

test('content may come in parts, from any role', async () => {
  const parts = [
    { role: 'developer', content: [{ type: 'text', text: 'Be ' }, { type: 'text', text: 'brief.' }] },
    { role: 'user', name: 'Una', content: [{ type: 'text', text: 'Who are you?' }] },
  ];
  const whole = [{ role: 'system', content: 'Be brief.' }, ...user()];
  assert.equal((await ask({ messages: parts })).choices[0].message.content, (await ask({ messages: whole })).choices[0].message.content);
});
