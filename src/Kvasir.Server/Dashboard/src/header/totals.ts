import type { RequestCount, Stats } from '../contract';
import { byId, setNumber, setText } from '../dom';
import { count, percent, seconds } from '../format';

const rareCounts: RequestCount[] = ['cancelled', 'failed', 'rejected', 'preempted'];
const requestCounts: RequestCount[] = ['running', 'waiting', 'finished', ...rareCounts];

/** The few numbers that say whether the cache is worth its memory. */
export function showTotals({ tokens, requests, saved_s }: Stats): void {
  setNumber(byId('hit-rate'), tokens.prompt > 0 ? tokens.reused / tokens.prompt : null, percent);
  setNumber(byId('tokens-reused'), tokens.reused, count);
  setNumber(byId('tokens-prompt'), tokens.prompt, count);
  setNumber(byId('tokens-computed'), tokens.computed, count);
  setNumber(byId('tokens-completion'), tokens.completion, count);
  setNumber(byId('saved-s'), saved_s, seconds);
  for (const name of requestCounts) setNumber(byId(`requests-${name}`), requests[name], count);
  for (const name of rareCounts) byId(`requests-${name}`).parentElement!.hidden = !requests[name];
}

/** Who answers, since when. */
export function showServer({ model, uptime_s }: Stats): void {
  setText(byId('model-id'), model.id);
  byId('model-id').title = `Fingerprint ${model.fingerprint}`;
  setNumber(byId('context'), model.context, count);
  setNumber(byId('uptime-s'), uptime_s, seconds);
  setText(byId('example'), example(model.id));
  document.title = `${model.id} · Kvasir`;
}

/** A first request, to be copied into a terminal. */
function example(model: string): string {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Once upon a time' }] });
  return `curl ${location.origin}/v1/chat/completions -H 'Content-Type: application/json' -d '${body}'`;
}
