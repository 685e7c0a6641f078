import { setTimeout as pause } from 'node:timers/promises';
import { answer } from './traffic.mjs';

/** Streams an answer. A message "fail" fails midway; "refuse" is refused at once; "long" is cut off. */
export async function chat({ engine, random }, { model, messages }, request, response) {
  const said = messages.at(-1).content;
  if (said === 'refuse') return refuse(response);
  const prompt = messages.map(({ role, content }) => `${role}: ${content}\n`).join('');
  const begun = engine.begin(prompt);
  let cancelled = false;
  response.on('close', () => (cancelled = !response.writableFinished));
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const send = (body) => response.write(`data: ${JSON.stringify({ id: begun.id, object: 'chat.completion.chunk', model, ...body })}\n\n`);
  await pause(Math.min(1500, begun.ttft * 1000));
  const pieces = answer(random, said === 'long' ? 400 : 40);
  let sent = 0;
  for (const piece of pieces) {
    if (cancelled || (said === 'fail' && sent === 8)) break;
    send({ choices: [{ index: 0, delta: { content: piece }, finish_reason: null }] });
    sent++;
    await pause(12);
  }
  const status = cancelled ? 'cancelled' : said === 'fail' ? 'error' : said === 'long' ? 'length' : 'stop';
  close({ engine, begun, response, send, sent, text: `${prompt}assistant: ${pieces.slice(0, sent).join('')}\n`, status });
}

function close({ engine, begun, response, send, sent, text, status }) {
  if (status === 'error') send({ error: { message: 'the pretended engine failed, as it was asked to', type: 'server_error' } });
  else {
    send({ choices: [{ index: 0, delta: {}, finish_reason: status }] });
    const usage = { prompt_tokens: begun.tokens, completion_tokens: sent, total_tokens: begun.tokens + sent };
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
