import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, model, user } from '../connection.mjs';
import { client } from './client.mjs';

const ask = (more) => client.chat.completions.create({ model, messages: user(), temperature: 0, max_tokens: 12, ...more });

test('log probabilities come with the likeliest beside them', async () => {
  const { choices: [{ message, logprobs }], usage } = await ask({ logprobs: true, top_logprobs: 3 });
  assert.equal(logprobs.content.length, usage.completion_tokens);
  assert.equal(logprobs.content.map(({ token }) => token).join('').trimStart(), message.content.trimStart());
  for (const { token, logprob, bytes, top_logprobs } of logprobs.content) {
    assert.ok(logprob <= 0);
    assert.equal(Buffer.from(bytes).toString(), token);
    assert.equal(top_logprobs.length, 3);
    assert.equal(top_logprobs[0].token, token); // temperature 0 takes the likeliest
    assert.ok(top_logprobs.every((top, i) => i === 0 || top.logprob <= top_logprobs[i - 1].logprob));
  }
});

test('without top_logprobs there is the token alone', async () => {
  const { choices: [{ logprobs }] } = await ask({ logprobs: true });
  assert.deepEqual(logprobs.content[0].top_logprobs, []);
});

test('a stream has the same log probabilities', async () => {
  const whole = (await ask({ logprobs: true, top_logprobs: 2 })).choices[0].logprobs.content;
  const chunks = await collect(await ask({ logprobs: true, top_logprobs: 2, stream: true }));
  assert.deepEqual(chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []), whole);
});

test('penalties change what is said', async () => {
  const plain = (await ask({ max_tokens: 60 })).choices[0].message.content;
  const penal = (await ask({ max_tokens: 60, frequency_penalty: 2, presence_penalty: 2, logit_bias: { 5: -100 } }))
    .choices[0].message.content;
  const repeats = (text) => text.split(/\s+/).length - new Set(text.split(/\s+/)).size;
  assert.ok(repeats(penal) <= repeats(plain), `${plain} / ${penal}`);
});

test('a bias of 100 decides', async () => {
  const { choices: [{ logprobs }] } = await ask({ logprobs: true, max_tokens: 1, top_logprobs: 5 });
  const second = logprobs.content[0].top_logprobs[1].token;
  const { tokens: [id] } = await (await fetch(new URL('/tokenize', client.baseURL), {
    method: 'POST', headers: { Authorization: `Bearer ${client.apiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ content: second }),
  })).json();
  const biased = await ask({ logprobs: true, max_tokens: 1, logit_bias: { [id]: 100 } });
  assert.equal(biased.choices[0].logprobs.content[0].token, second);
});
