import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  APICallError, embed, embedMany, extractReasoningMiddleware, generateText, Output, stepCountIs, streamText, tool, wrapLanguageModel,
} from 'ai';
import { collect, key, longText, model, thinkerUrl, toolsUrl, untilIdle, url } from '../connection.mjs';
import { fits, person, weather } from '../schemas.mjs';

const at = (address, apiKey = key) =>
  createOpenAICompatible({ name: 'kvasir', baseURL: `${address}/v1`, apiKey, includeUsage: true, supportsStructuredOutputs: true });
const kvasir = at(url);
const request = { model: kvasir(model), prompt: 'Who are you?', temperature: 0, maxOutputTokens: 40, maxRetries: 0 };

test('a text, whole and streamed, with its usage', async () => {
  const whole = await generateText(request);
  assert.ok(whole.text.length > 0);
  const stream = streamText(request);
  assert.equal((await collect(stream.textStream)).join(''), whole.text);
  assert.equal(await stream.finishReason, whole.finishReason);
  assert.deepEqual((await stream.usage).outputTokens, whole.usage.outputTokens);
});

test('what the cache had is in the usage', async () => {
  const prompt = longText();
  const [first, second] = [await generateText({ ...request, prompt }), await generateText({ ...request, prompt })];
  const before = first.usage.inputTokenDetails.cacheReadTokens ?? 0;
  assert.ok(second.usage.inputTokenDetails.cacheReadTokens > before + 64, JSON.stringify(second.usage));
});

test('an object, whole and streamed', async () => {
  const wanted = { ...request, temperature: 1, maxOutputTokens: 300, output: Output.object({ schema: person }) };
  fits(person, (await generateText(wanted)).output);
  const stream = streamText(wanted);
  const parts = await collect(stream.partialOutputStream);
  fits(person, parts.at(-1));
});

test('tools are called, and their results go back in', async () => {
  const asked = [];
  const execute = (input) => (asked.push(input), 'Cold.');
  const tools = { weather: tool({ description: 'The weather of a city.', inputSchema: weather, execute }) };
  const wanted = { ...request, model: at(toolsUrl)(model), maxOutputTokens: 120, tools, toolChoice: 'required', stopWhen: stepCountIs(2) };
  const { steps } = await generateText(wanted);
  assert.equal(steps.length, 2);
  assert.ok(steps[0].toolResults.every(({ output }) => output === 'Cold.'));
  const stream = streamText({ ...wanted, toolChoice: { type: 'tool', toolName: 'weather' } });
  await stream.consumeStream();
  assert.equal((await stream.steps).length, 2);
  assert.ok(asked.length >= 4);
  asked.forEach((input) => fits(weather, input));
});

test('thoughts are reasoning, whole and streamed, or taken out of the text by middleware', async () => {
  const thinker = at(thinkerUrl)('default'), wanted = { ...request, model: thinker, prompt: 'Hi' };
  const whole = await generateText(wanted);
  assert.deepEqual([whole.reasoningText, whole.text], ['I wonder.', 'Hello!']);
  assert.ok(whole.usage.outputTokenDetails.reasoningTokens > 0);
  const parts = await collect(streamText(wanted).fullStream);
  assert.equal(parts.filter(({ type }) => type === 'reasoning-delta').map(({ text }) => text).join(''), 'I wonder.');
  const split = wrapLanguageModel({ model: thinker, middleware: extractReasoningMiddleware({ tagName: 'think' }) });
  const taken = await generateText({ ...wanted, model: split, providerOptions: { kvasir: { reasoning_format: 'none' } } });
  assert.deepEqual([taken.reasoningText.trim(), taken.text.trim()], ['I wonder.', 'Hello!']);
});

test('texts are embedded', async () => {
  const embeddings = kvasir.embeddingModel(model);
  const { embedding, usage } = await embed({ model: embeddings, value: 'The old mill' });
  assert.ok(embedding.length > 8 && usage.tokens > 0);
  const { embeddings: many } = await embedMany({ model: embeddings, values: Array.from({ length: 300 }, (_, i) => `mill ${i}`) });
  assert.equal(many.length, 300);
});

test('a completion without a conversation', async () => {
  assert.ok((await generateText({ ...request, model: kvasir.completionModel(model), prompt: 'Once upon a time' })).text.length > 0);
});

test('errors say what is wrong', async () => {
  const says = (status, text) => (error) => APICallError.isInstance(error) && error.statusCode === status && text.test(error.message);
  await assert.rejects(generateText({ ...request, temperature: -9 }), says(400, /^temperature: -9, expected/));
  await assert.rejects(generateText({ ...request, model: kvasir('gpt-5') }), says(404, /^model: /));
  await assert.rejects(generateText({ ...request, model: at(url, 'not-the-key-at-all')(model) }), says(401, /key/));
});

test('a stream that is left ends at once', async () => {
  const cancelled = await untilIdle();
  const leave = new AbortController();
  const stream = streamText({
    ...request, maxOutputTokens: 1900, abortSignal: leave.signal, providerOptions: { kvasir: { ignore_eos: true } }, onError() {},
  });
  for await (const _ of stream.textStream) leave.abort();
  assert.equal(await untilIdle(cancelled + 1), cancelled + 1);
});
