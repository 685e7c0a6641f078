// The JSON contract.
import { chat } from './chat.mjs';
import { tokenize } from './cache.mjs';
import { tierNames } from './tiers.mjs';
import { blocksBelow, evict, nodesOf, pathTo, treeOf } from './tree.mjs';

export const routes = {
  'GET /health': (_, __, response) => json(response, { status: 'ok' }),
  'GET /v1/models': ({ engine }, _, response) => {
    const { model } = engine.stats();
    json(response, { object: 'list', data: [{
      id: model.id, object: 'model', created: 1764000000, owned_by: 'kvasir',
      meta: { n_ctx: model.context, n_ctx_train: model.context, n_params: 9e6, size: 9e6 },
    }] });
  },
  'GET /v1/kv/stats': ({ engine }, _, response) => json(response, engine.stats()),
  'GET /v1/kv/requests': ({ engine }, _, response) => json(response, { requests: engine.requests }),
  'GET /v1/kv/views': ({ engine }, _, response) => json(response, { version: 1, truncated: false, views: engine.views }),
  'GET /v1/kv/tree': ({ engine, url, text }, _, response) =>
    json(response, treeOf(
      engine.cache, { text: text && url.searchParams.get('text') === '1', limit: Number(url.searchParams.get('limit') ?? 2000) })),
  'GET /v1/kv/events': ({ engine }, request, response) => events(engine, request, response),
  'POST /v1/kv/pin': withBody(pin),
  'POST /v1/kv/unpin': withBody(unpin),
  'POST /v1/kv/evict': withBody(evictNode),
  'POST /v1/kv/warm': withBody((context, body) => explain(context, body, true)),
  'POST /v1/kv/lookup': withBody((context, body) => explain(context, body, false)),
  'POST /v1/chat/completions': async (context, request, response) => chat(context, await read(request), request, response),
};

function events(engine, request, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const send = (name, data) => response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  const told = (served) => send('request', served);
  send('stats', engine.stats());
  const ticks = setInterval(() => (response.write(': ping\n\n'), send('stats', engine.stats())), 1000);
  engine.listeners.add(told);
  request.on('close', () => (clearInterval(ticks), engine.listeners.delete(told)));
}

function find({ engine }, id) {
  return nodesOf(engine.cache).find((node) => node.id === id) ?? fail(404, `id: no node ${id}`);
}

function pin(context, { id, ttl, owner = 'anonymous' }) {
  const seconds = { '30m': 1800, '2h': 7200, '24h': 86_400, '30d': 2_592_000 }[ttl];
  const blocks = pathTo(context.engine.cache, find(context, id));
  const until = Date.now() / 1000 + (seconds || 86400);
  for (const block of blocks) block.pinnedUntil = until;
  return { pinned_blocks: blocks.length, until, owner };
}

function unpin(context, { id }) {
  const blocks = pathTo(context.engine.cache, find(context, id)).filter((block) => block.pinnedUntil > 0);
  for (const block of blocks) block.pinnedUntil = 0;
  return { unpinned_blocks: blocks.length };
}

function evictNode(context, { id, tier, all }) {
  const { cache } = context.engine;
  const blocks = all ? [...cache.blocks.values()] : blocksBelow(cache, find(context, id));
  return evict(cache, blocks, tier ? [tier] : tierNames);
}

function explain({ engine }, { prompt }, keep) {
  if (typeof prompt !== 'string') fail(400, 'prompt: expected a string');
  const tokens = tokenize(prompt);
  return { prompt_tokens: tokens.length, kvasir: engine.cache.explain(tokens, keep) };
}

function withBody(action) {
  return async (context, request, response) => {
    try {
      json(response, action(context, await read(request)));
    } catch (error) {
      problem(response, error.status ?? 400, error.message);
    }
  };
}

function fail(status, message) {
  throw Object.assign(new Error(message), { status });
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

function json(response, value) {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(JSON.stringify(value));
}

export function problem(response, status, message) {
  const type = status === 401 ? 'authentication_error' : 'invalid_request_error';
  response.writeHead(status, { 'Content-Type': 'application/json' })
    .end(JSON.stringify({ error: { message, type, param: null, code: null } }));
}
