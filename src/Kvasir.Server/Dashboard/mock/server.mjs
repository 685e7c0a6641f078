// A pretended `kvasir serve`: serves dist and data that changes plausibly. `node mock/server.mjs --help` lists the options.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { routes, problem } from './api.mjs';
import { Engine } from './engine.mjs';
import { serveFile } from './files.mjs';
import { views } from './views.mjs';
import { prompts, seeded } from './traffic.mjs';

const options = {
  port: { type: 'string', default: '8089' },
  key: { type: 'string' }, // wanted as a bearer token
  empty: { type: 'boolean', default: false }, // nothing has happened yet, and nothing does by itself
  quiet: { type: 'boolean', default: false }, // no requests but those that come from outside
  'no-text': { type: 'boolean', default: false }, // as without --kv-text
  help: { type: 'boolean', default: false },
};
const { values: args } = parseArgs({ options });
if (args.help) {
  console.log(`options: ${Object.keys(options).map((name) => `--${name}`).join(' ')}`);
  process.exit(0);
}

const engine = new Engine();
if (!args.empty) engine.views = views;
const random = seeded(7);
const coming = prompts(random);
if (!args.empty) for (let at = 60; at > 0; at--) serve(Date.now() / 1000 - at * 7);
if (!args.empty && !args.quiet) later();

createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const route = routes[`${request.method} ${url.pathname}`];
  if (!route) return serveFile(url.pathname, response);
  if (args.key && request.headers.authorization !== `Bearer ${args.key}`) return problem(response, 401, 'missing or unknown API key');
  route({ engine, random, url, text: !args['no-text'] }, request, response);
}).listen(Number(args.port), '127.0.0.1', function listening() {
  console.log(`listening on http://127.0.0.1:${this.address().port}`);
});

function serve(time) {
  const begun = engine.begin(coming.next().value);
  if (random() < 0.2) Object.assign(begun.kvasir, { retention: retentionOf(views[0]) });
  const fate = random();
  const status = fate < 0.03 ? 'error' : fate < 0.07 ? 'cancelled' : fate < 0.15 ? 'length' : 'stop';
  engine.end(begun, { completion: 10 + Math.floor(random() * 90), status, queue: random() < 0.2 ? random() * 0.4 : 0, time });
}

/** As if the view had been there. */
function retentionOf({ policy, positions, kept_share, bytes, exact_bytes }) {
  return { policy, found: true, positions, kept_share, bytes, exact_bytes, profile_s: 0 };
}

function later() {
  setTimeout(() => (serve(), later()), 700 + random() * 3500);
}
