import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, key, model, url } from '../connection.mjs';
import { client } from './client.mjs';

const prompt = 'Once upon a time';
const ask = (more) => client.completions.create({ model, prompt, temperature: 0, max_tokens: 16, ...more });

async function tokensOf(content) {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  const response = await fetch(`${url}/tokenize`, { method: 'POST', headers, body: JSON.stringify({ content, add_special: true }) });
  return (await response.json()).tokens;
}

test('text and tokens are continued alike', async () => {
  const { choices: [{ text, finish_reason }], usage, object } = await ask();
  assert.equal(object, 'text_completion');
  assert.ok(text.length > 0);
  assert.match(finish_reason, /^(stop|length)$/);
  const tokens = await tokensOf(prompt);
  assert.equal(tokens.length, usage.prompt_tokens);
  assert.equal((await ask({ prompt: tokens })).choices[0].text, text);
});

test('a list is answered in order, each prompt n times', async () => {
  const [first, second] = [(await ask()).choices[0].text, (await ask({ prompt: 'The old mill' })).choices[0].text];
  const { choices, usage } = await ask({ prompt: [prompt, 'The old mill'], n: 2 });
  assert.deepEqual(choices.map(({ index, text }) => [index, text]), [[0, first], [1, first], [2, second], [3, second]]);
  assert.ok(usage.completion_tokens > 16);
  const lists = await ask({ prompt: [await tokensOf(prompt), await tokensOf('The old mill')] });
  assert.deepEqual(lists.choices.map(({ text }) => text), [first, second]);
});

test('echo repeats the prompt', async () => {
  const { choices: [{ text }] } = await ask();
  assert.equal((await ask({ echo: true })).choices[0].text, prompt + text);
  const streamed = await collect(await ask({ echo: true, stream: true }));
  assert.equal(streamed.flatMap(({ choices }) => choices).map((choice) => choice.text).join(''), prompt + text);
});

test('a stream says the same, and its usage when asked', async () => {
  const whole = await ask();
  const chunks = await collect(await ask({ stream: true, stream_options: { include_usage: true } }));
  assert.equal(chunks.flatMap(({ choices }) => choices).map(({ text }) => text).join(''), whole.choices[0].text);
  assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
});

test('log probabilities come in the older form', async () => {
  const { choices: [{ logprobs, text }], usage } = await ask({ logprobs: 2 });
  assert.equal(logprobs.tokens.join(''), text);
  assert.equal(logprobs.token_logprobs.length, usage.completion_tokens);
  assert.ok(logprobs.top_logprobs.every((top) => Object.keys(top).length === 2));
});

test('sixteen tokens are the limit when none is said', async () => {
  assert.equal((await ask({ max_tokens: undefined, ignore_eos: true })).usage.completion_tokens, 16);
});

test('what cannot be done is refused', async () => {
  for (const [more, param] of [
    [{ prompt: [] }, 'prompt'], [{ prompt: undefined }, 'prompt'], [{ prompt: [[1, 99_999_999]] }, 'prompt[0][1]'],
    [{ suffix: 'end' }, 'suffix'], [{ best_of: 3 }, 'best_of'], [{ prompt: '' }, 'prompt'],
  ])
    await assert.rejects(ask(more), (error) => error.status === 400 && error.param === param, JSON.stringify(more));
});
