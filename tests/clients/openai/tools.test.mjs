import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, longText, model, user } from '../connection.mjs';
import { fits, weather, weatherSchema } from '../schemas.mjs';
import { client, withTools } from './client.mjs';

const functions = ['weather', 'forecast'].map((name) => ({ name, description: `The ${name} of a city.`, parameters: weatherSchema }));
const tools = functions.map((one) => ({ type: 'function', function: one }));
const named = { type: 'function', function: { name: 'forecast' } };
const ask = (more, at = withTools) =>
  at.chat.completions.create({ model, messages: user('How is the weather?'), tools, tool_choice: 'required', seed: 1, ...more });
const strictly = functions.map((one) => ({ type: 'function', strict: true, ...one }));
const respond = (more, at = withTools) =>
  at.responses.create({ model, input: 'How is the weather?', tools: strictly, tool_choice: 'required', ...more });

function isCall({ id, type, function: { name, arguments: text } }, among = ['weather', 'forecast']) {
  assert.match(id, /^call_\w{8}/);
  assert.equal(type, 'function');
  assert.ok(among.includes(name), name);
  fits(weather, text);
}

test('a model whose template has no tools calls them in a form of its own', async () => {
  (await ask({}, client)).choices[0].message.tool_calls.forEach((call) => isCall(call));
  assert.ok((await respond({}, client)).output.some(({ type }) => type === 'function_call'));
  assert.ok((await ask({ tool_choice: 'none', temperature: 0, max_tokens: 8 }, client)).choices[0].message.content);
});

test('a required call is one, of any tool or of the one that is named', async () => {
  const { choices } = await ask({ n: 4 });
  for (const { message, finish_reason } of choices) {
    assert.equal(finish_reason, 'tool_calls');
    assert.equal(message.content, null);
    message.tool_calls.forEach((call) => isCall(call));
  }
  (await ask({ tool_choice: named })).choices[0].message.tool_calls.forEach((call) => isCall(call, ['forecast']));
});

test('without parallel calls there is one', async () => {
  const { choices } = await ask({ n: 4, parallel_tool_calls: false });
  assert.deepEqual(choices.map(({ message }) => message.tool_calls.length), [1, 1, 1, 1]);
});

test('a stream has the same calls', async () => {
  const whole = (await ask({ temperature: 0 })).choices[0].message.tool_calls;
  const chunks = await collect(await ask({ temperature: 0, stream: true }));
  const streamed = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
  const calls = whole.map((_, at) => streamed.filter(({ index }) => index === at).map((part) => part.function)).map((parts) => ({
    name: parts[0].name, arguments: parts.map((part) => part.arguments ?? '').join(''),
  }));
  assert.ok(streamed.every(({ index }) => index < whole.length));
  assert.deepEqual(calls, whole.map((call) => call.function));
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls');
});

test('the helper that runs tools runs them and goes on with what they give', async () => {
  const asked = [];
  const run = (args) => (asked.push(args), `Cold in ${args.city}.`);
  const runner = withTools.chat.completions.runTools({
    model, messages: user(longText()), seed: 1, tool_choice: named,
    tools: functions.map((one) => ({ type: 'function', function: { ...one, parse: JSON.parse, function: run } })),
  });
  await runner.done();
  assert.ok(asked.length > 0);
  asked.forEach((args) => fits(weather, args));
  assert.equal(runner.messages.filter(({ role }) => role === 'tool').length, asked.length);
});

test('results go back in, and what came before them is read from the cache', async () => {
  const messages = user(longText());
  const first = await ask({ messages });
  const results = first.choices[0].message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'Cold.' }));
  const next = [...messages, first.choices[0].message, ...results];
  const { choices: [choice], usage } = await ask({ messages: next, tool_choice: 'auto', max_tokens: 20 });
  assert.ok(choice.message.content || choice.message.tool_calls);
  assert.ok(usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens - 16, JSON.stringify(usage));
});

test('a call beside a text, or of an unknown tool, is refused where it is wrong', async () => {
  for (const [more, param] of [
    [{ tool_choice: { type: 'function', function: { name: 'moon' } } }, 'tool_choice.function.name'],
    [{ tools: [], tool_choice: 'required' }, 'tool_choice'],
    [{ tools: [{ type: 'function', function: { name: 'two words' } }] }, 'tools[0].function.name'],
    [{ tools: [{ type: 'function', function: { name: 'x', parameters: 5 } }] }, 'tools[0].function.parameters'],
  ])
    await assert.rejects(ask(more), (error) => error.status === 400 && error.param === param, JSON.stringify(more));
});

test('responses call tools, and take what they give', async () => {
  const first = await respond({ input: longText() });
  const calls = first.output.filter(({ type }) => type === 'function_call');
  assert.ok(calls.length > 0);
  calls.forEach((call) => fits(weather, call.arguments));
  const outputs = calls.map(({ call_id }) => ({ type: 'function_call_output', call_id, output: 'Cold.' }));
  const second = await respond({ previous_response_id: first.id, input: outputs, tool_choice: 'auto', max_output_tokens: 20 });
  assert.ok(second.output.length > 0);
  assert.ok(second.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens - 16, JSON.stringify(second.usage));
});

test('responses stream calls', async () => {
  const events = await collect(await respond(
    { stream: true, tool_choice: { type: 'function', name: 'forecast' }, parallel_tool_calls: false }));
  assert.deepEqual(events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]),
    ['response.created', 'response.in_progress', 'response.output_item.added', 'response.function_call_arguments.delta',
    'response.function_call_arguments.done', 'response.output_item.done', 'response.completed']);
  const { item } = events.at(-2);
  assert.equal(item.name, 'forecast');
  assert.equal(item.arguments, events.filter(({ type }) => type.endsWith('arguments.delta')).map(({ delta }) => delta).join(''));
  const plainly = functions.map((one) => ({ type: 'function', ...one }));
  const gathered = await withTools.responses.stream({ model, input: 'How?', tools: plainly, tool_choice: 'required' }).finalResponse();
  assert.equal(gathered.output[0].type, 'function_call');
});
