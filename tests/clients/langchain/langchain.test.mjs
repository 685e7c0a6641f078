import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { collect, key, longText, model, thinkerUrl, toolsUrl, url } from '../connection.mjs';
import { fits, person, weather } from '../schemas.mjs';

const at = (address, more) =>
  ({ model, apiKey: key, temperature: 0, maxTokens: 60, maxRetries: 0, configuration: { baseURL: `${address}/v1` }, ...more });
const chat = new ChatOpenAI(at(url));

test('messages, whole and streamed', async () => {
  const messages = [new SystemMessage('Be brief.'), new HumanMessage('Who are you?')];
  const whole = await chat.invoke(messages);
  assert.ok(whole.content.length > 0);
  assert.ok(whole.usage_metadata.output_tokens > 0);
  const chunks = await collect(await chat.stream(messages));
  const all = chunks.reduce((before, chunk) => before.concat(chunk));
  assert.equal(all.content, whole.content);
  assert.equal(all.usage_metadata.output_tokens, whole.usage_metadata.output_tokens);
});

test('what the cache had is in the usage', async () => {
  const question = longText();
  await chat.invoke(question);
  assert.ok((await chat.invoke(question)).usage_metadata.input_token_details.cache_read > 64);
});

test('the responses API', async () => {
  const answer = await new ChatOpenAI(at(url, { useResponsesApi: true })).invoke('Who are you?');
  assert.ok(answer.text.length > 0);
});

test('thoughts are reasoning', async () => {
  const named = { model: 'gpt-5', modelKwargs: { top_k: 1 } }; // of others a summary is not asked
  const thinker = new ChatOpenAI(at(thinkerUrl, { ...named, useResponsesApi: true, reasoning: { summary: 'auto' } }));
  const told = ({ contentBlocks }) => contentBlocks.filter(({ type }) => type === 'reasoning').map(({ reasoning }) => reasoning).join('');
  const whole = await thinker.invoke('Hi');
  assert.deepEqual([told(whole), whole.text], ['I wonder.', 'Hello!']);
  const all = (await collect(await thinker.stream('Hi'))).reduce((before, chunk) => before.concat(chunk));
  assert.deepEqual([told(all), all.text], ['I wonder.', 'Hello!']);
});

for (const method of ['jsonSchema', 'jsonMode'])
  test(`structured output by ${method}`, async () => {
    const model_ = new ChatOpenAI(at(url, { temperature: 1, maxTokens: 600 }));
    if (method === 'jsonSchema') fits(person, await model_.withStructuredOutput(person, { method }).invoke('Describe Einar.'));
    else {
      const { content } = await model_.withConfig({ response_format: { type: 'json_object' } }).invoke('Describe Einar in JSON.');
      assert.match(content, /^\s*\{/);
    }
  });

test('tools are called, and their results go back in', async () => {
  const withTools = new ChatOpenAI(at(toolsUrl, { maxTokens: 200 }));
  const forecast = tool(() => 'Cold.', { name: 'forecast', description: 'The weather.', schema: weather });
  const question = new HumanMessage('How is the weather?');
  const answer = await withTools.bindTools([forecast], { tool_choice: 'forecast' }).invoke([question]);
  fits(weather, answer.tool_calls[0].args);
  const results = await Promise.all(answer.tool_calls.map((call) => forecast.invoke(call)));
  assert.ok(results[0] instanceof ToolMessage);
  const next = await withTools.bindTools([forecast]).invoke([question, answer, ...results]);
  assert.ok(next.content.length + next.tool_calls.length > 0);
  fits(weather, await withTools.withStructuredOutput(weather, { method: 'functionCalling', name: 'forecast' }).invoke([question]));
});

test('documents are embedded in one request', async () => {
  const embeddings = new OpenAIEmbeddings({ model, apiKey: key, maxRetries: 0, configuration: { baseURL: `${url}/v1` } });
  const vectors = await embeddings.embedDocuments(Array.from({ length: 300 }, (_, i) => `mill ${i}`));
  assert.equal(vectors.length, 300);
  assert.ok(vectors[0].length > 8 && vectors.every((vector) => vector.length === vectors[0].length));
});

test('a completion without a conversation', async () => {
  assert.ok((await new OpenAI(at(url)).invoke('Once upon a time')).length > 0);
});

test('errors are those of the client below', () =>
  assert.rejects(new ChatOpenAI(at(url, { model: 'gpt-5' })).invoke('x'), { status: 404 }));
