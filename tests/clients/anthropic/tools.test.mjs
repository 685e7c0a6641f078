import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longText, model, user } from '../connection.mjs';
import { fits, weather, weatherSchema } from '../schemas.mjs';
import { client, withTools } from './client.mjs';

const tools = ['weather', 'forecast'].map((name) => ({ name, description: `The ${name} of a city.`, input_schema: weatherSchema }));
const request = { model, messages: user('How is the weather?'), tools, tool_choice: { type: 'any' }, max_tokens: 200 };
const ask = (more, at = withTools) => at.messages.create({ ...request, ...more });
const isUse = ({ id, type, name, input }, among = ['weather', 'forecast']) => {
  assert.match(id, /^toolu_\w{8}/);
  assert.equal(type, 'tool_use');
  assert.ok(among.includes(name), name);
  fits(weather, input);
};

test('a model whose template has no tools calls them in a form of its own', async () =>
  (await ask({}, client)).content.forEach((block) => isUse(block)));

test('tools that the server would have to run are skipped, and unknown ones refused', async () => {
  const hosted = [{ type: 'web_search_20250305', name: 'web_search' }];
  assert.equal((await ask({ tools: hosted, tool_choice: { type: 'auto' } })).content[0].type, 'text');
  await assert.rejects(ask({ tools: [{ type: 'bash_20250124', name: 'bash' }] }), (error) =>
    error.status === 400 && /tools\[0\]\.type/.test(error.message));
});

test('a call is required of any tool, or of the one that is named', async () => {
  const { content, stop_reason } = await ask();
  assert.equal(stop_reason, 'tool_use');
  content.forEach((block) => isUse(block));
  (await ask({ tool_choice: { type: 'tool', name: 'forecast' } })).content.forEach((block) => isUse(block, ['forecast']));
});

test('a stream has the same calls', async () => {
  const whole = await ask({ temperature: 0 });
  const streamed = await withTools.messages.stream({ ...request, temperature: 0 }).finalMessage();
  assert.deepEqual(streamed.content.map(({ name, input }) => [name, input]), whole.content.map(({ name, input }) => [name, input]));
  assert.equal(streamed.stop_reason, 'tool_use');
});

test('results go back in, and what came before them is read from the cache', async () => {
  const messages = user(longText());
  const first = await ask({ messages });
  const results = first.content.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text: 'Cold.' }] }));
  const next = [...messages, { role: 'assistant', content: first.content }, { role: 'user', content: results }];
  const second = await ask({ messages: next, tool_choice: { type: 'auto' }, max_tokens: 20 });
  assert.ok(second.content.length > 0);
  assert.ok(second.usage.cache_read_input_tokens > 100, JSON.stringify(second.usage));
});

test('the helper that runs tools runs them', async () => {
  const asked = [], { max_tokens: _, ...counted } = request, first = await withTools.messages.countTokens(counted);
  const runner = withTools.beta.messages.toolRunner({
    ...request, max_iterations: 2,
    tools: tools.map((tool) => ({ ...tool, type: 'custom', parse: (input) => input, run: (input) => (asked.push(input), 'Cold.') })),
  });
  const { usage } = await runner.runUntilDone(); // it would leave the conversation to the server, which has to say that it holds none
  const read = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
  assert.ok(read > first.input_tokens + 8, JSON.stringify(usage));
  assert.ok(asked.length > 0);
  asked.forEach((input) => fits(weather, input));
});
