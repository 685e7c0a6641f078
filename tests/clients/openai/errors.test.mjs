import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { get, model, untilIdle, user } from '../connection.mjs';
import { client, stranger } from './client.mjs';

const ask = (more, options) => client.chat.completions.create({ model, messages: user(), max_tokens: 8, ...more }, options);
const isA = (type, param, code) => (error) => {
  assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
  assert.equal(error.param, param);
  if (code) assert.equal(error.code, code);
  return true;
};

for (const [more, param] of [
  [{ temperature: -1 }, 'temperature'], [{ temperature: 'hot' }, 'temperature'], [{ n: 0 }, 'n'], [{ messages: [] }, 'messages'],
  [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
  [{ messages: [{ role: 'king', content: 'x' }] }, 'messages[0].role'], [{ stop: [5] }, 'stop[0]'],
  [{ logit_bias: { 99999999: 1 } }, 'logit_bias'],
  [{ top_logprobs: 3 }, 'logprobs'], [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs'],
  [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }, 'messages[0].content[0]'],
  [{ max_tokens: -2 }, 'max_tokens'], [{ stream: 'yes' }, 'stream'], [{ seed: 1.5 }, 'seed'],
])
  test(`${JSON.stringify(more)} is refused, naming ${param}`, () => assert.rejects(ask(more), isA(OpenAI.BadRequestError, param)));

test('another model is not found', () => assert.rejects(ask({ model: 'gpt-5' }), isA(OpenAI.NotFoundError, 'model', 'model_not_found')));

test('a wrong key is not let in', () => assert.rejects(stranger.models.list(), isA(OpenAI.AuthenticationError, null, 'invalid_api_key')));

test('a path that is not there', () => assert.rejects(client.get('/nothing'), isA(OpenAI.NotFoundError, null)));

test('a prompt beyond the context says how far', async () => {
  await assert.rejects(ask({ messages: user('mill '.repeat(5000)) }), (error) => {
    isA(OpenAI.BadRequestError, 'messages', 'context_length_exceeded')(error);
    assert.ok(error.error.n_prompt_tokens > error.error.n_ctx);
    return true;
  });
});

test('a stream begins with its error when there is one', () =>
  assert.rejects(ask({ stream: true, temperature: -1 }), isA(OpenAI.BadRequestError, 'temperature')));

for (const how of ['break', 'abort'])
  test(`a stream that is left (${how}) ends at once`, async () => {
    const cancelled = await untilIdle();
    const leave = new AbortController();
    const stream = await ask({ stream: true, max_tokens: 1900, temperature: 1.9, ignore_eos: true }, { signal: leave.signal });
    try {
      for await (const chunk of stream)
        if (chunk.choices[0].delta.content) {
          assert.ok((await get('/v1/kv/stats')).requests.running >= 1);
          if (how === 'break') break;
          leave.abort();
        }
    } catch (error) {
      assert.ok(error instanceof OpenAI.APIUserAbortError, error);
    }
    assert.equal(await untilIdle(cancelled + 1), cancelled + 1);
  });
