import { setTimeout as pause } from 'node:timers/promises';
import { answer } from './traffic.mjs';

const thoughts = ['They ask who I am. ', 'I may say it ', 'in a sentence.'];
const calls = [
  { index: 0, id: 'call_0', type: 'function', function: { name: 'weather', arguments: '' } },
  { index: 0, function: { arguments: '{"city": ' } },
  { index: 0, function: { arguments: '"<b>Hlesey</b>"}' } },
  { index: 1, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city": "Uppsala"}' } },
];

/**
 * Streams an answer. A message "fail" fails midway; "refuse" is refused at once; "long" is cut off; "think" is thought about first; with
 * tools, they are called.
 */
export async function chat({ engine, random }, { model, messages, tools }, request, response) {
  const said = messages.at(-1).content;
  if (said === 'refuse') return refuse(response);
  const prompt = messages.map(({ role, content }) => `${role}: ${content}\n`).join('');
  const begun = engine.begin(prompt);
  let cancelled = false;
  response.on('close', () => (cancelled = !response.writableFinished));
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const send = (body) => response.write(`data: ${JSON.stringify({ id: begun.id, object: 'chat.completion.chunk', model, ...body })}\n\n`);
  await pause(Math.min(1500, begun.ttft * 1000));
  if (said === 'think') for (const thought of thoughts) delta(send, { reasoning_content: thought });
  if (tools && messages.at(-1).role === 'user') {
    for (const call of calls) delta(send, { tool_calls: [call] });
    return close({ engine, begun, response, send, sent: calls.length, text: `${prompt}assistant: calls\n`, status: 'tool_calls' });
  }
  const pieces = answer(random, said === 'long' ? 400 : 40);
  let sent = 0;
  for (const piece of pieces) {
    if (cancelled || (said === 'fail' && sent === 8)) break;
    delta(send, { content: piece });
    sent++;
    await pause(12);
  }
  const status = cancelled ? 'cancelled' : said === 'fail' ? 'error' : said === 'long' ? 'length' : 'stop';
  const text = `${prompt}assistant: ${pieces.slice(0, sent).join('')}\n`;
  close({ engine, begun, response, send, sent, text, status, thought: said === 'think' });
}

const delta = (send, what) => send({ choices: [{ index: 0, delta: what, finish_reason: null }] });

function close({ engine, begun, response, send, sent, text, status, thought }) {
  if (status === 'error') send({ error: { message: 'the pretended engine failed, as it was asked to', type: 'server_error' } });
  else {
    send({ choices: [{ index: 0, delta: {}, finish_reason: status }] });
    const usage = {
      prompt_tokens: begun.tokens, completion_tokens: sent, total_tokens: begun.tokens + sent,
      ...(thought && { completion_tokens_details: { reasoning_tokens: 12 } }),
    };
    send({ choices: [], usage, kvasir: begun.kvasir });
    response.write('data: [DONE]\n\n');
  }
  engine.end(begun, { completion: sent, status, text });
  response.end();
}

function refuse(response) {
  const error = { message: 'the queue is full: try again in 2 s', type: 'rate_limit_error', param: null, code: null };
  response.writeHead(429, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error }));
}
