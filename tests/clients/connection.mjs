// Where the servers are: KVASIR_URL with the model that ships with Kvasir, KVASIR_TOOLS_URL with the same weights under a chat template
// that has tools. Of models that say the same whatever they are asked KVASIR_THINKER_URL thinks "I wonder." and says "Hello!", and
// KVASIR_CALLER_URL calls `noon` without arguments.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

export const url = required('KVASIR_URL');
export const toolsUrl = required('KVASIR_TOOLS_URL');
export const thinkerUrl = process.env.KVASIR_THINKER_URL;
export const callerUrl = process.env.KVASIR_CALLER_URL;
export const key = process.env.KVASIR_KEY ?? 'none';
export const model = (await get('/v1/models')).data[0].id;

function required(name) {
  return process.env[name]?.replace(/\/$/, '') ?? assert.fail(`${name}: missing, expected the address of a running \`kvasir serve\``);
}

/** JSON of the server's own API. */
export async function get(path, at = url) {
  const response = await fetch(at + path, { headers: { Authorization: `Bearer ${key}` } });
  assert.equal(response.status, 200, `${path}: ${response.status}`);
  return response.json();
}

/** Waits until nothing runs and so many requests have been cancelled since the start; returns how many have. */
export async function untilIdle(cancellations = 0) {
  for (let tries = 0; tries < 200; tries++) {
    const { running, waiting, cancelled } = (await get('/v1/kv/stats')).requests;
    if (running === 0 && waiting === 0 && cancelled >= cancellations) return cancelled;
    await pause(25);
  }
  assert.fail('requests still run after 5 s');
}

/** A text of whole blocks that nobody has sent before. */
export const longText = () =>
  `Chapter ${Math.random()}. ${'Solveig went out to the great hall and found a green bell under the old bridge. '.repeat(8)}`;

/** A question that the model answers at length, if it is let. */
export const user = (content = 'Who are you?') => [{ role: 'user', content }];

export async function collect(stream) {
  const all = [];
  for await (const one of stream) all.push(one);
  return all;
}
