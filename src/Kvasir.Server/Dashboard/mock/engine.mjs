// Counts, timings and the list of requests around the pretended cache.
import { Cache, prefillRate, tokenize } from './cache.mjs';
import { viewCounts } from './views.mjs';
import { blockTokens, bytesPerToken } from './tiers.mjs';

const sources = ['device', 'host', 'disk', 'computed'];

export class Engine {
  views = [];
  cache = new Cache();
  requests = [];
  listeners = new Set();
  #started = Date.now() / 1000 - 5;
  #tokens = { prompt: 0, reused: 0, computed: 0, completion: 0 };
  #misses = {};
  #counts = { running: 0, waiting: 0, finished: 0, cancelled: 0, rejected: 0, failed: 0, preempted: 0 };
  #saved = 0;
  #ttft = Object.fromEntries(sources.map((source) => [source, []]));
  #next = 1;

  /** Looks a prompt up and keeps it, as a request does at its start. */
  begin(prompt) {
    const tokens = tokenize(prompt);
    const kvasir = this.cache.explain(tokens, true);
    this.#counts.running++;
    const ttft = 0.012 + kvasir.restore_s + kvasir.computed / prefillRate;
    return { id: `chatcmpl-${String(this.#next++).padStart(6, '0')}`, tokens: tokens.length, kvasir, ttft };
  }

  end({ id, tokens, kvasir, ttft }, { completion, status, endpoint = '/v1/chat/completions', queue = 0, time = Date.now() / 1000, text }) {
    if (text) this.cache.explain(tokenize(text), true); // what was generated is kept too
    this.#counts.running--;
    this.#counts[{ cancelled: 'cancelled', error: 'failed' }[status] ?? 'finished']++;
    this.#count(kvasir, tokens, completion);
    const served = sources.reduce((best, source) => (amount(kvasir, source) >= amount(kvasir, best) ? source : best));
    this.#ttft[served].push(ttft + queue);
    const request = {
      id, endpoint, status, time, prompt_tokens: tokens, completion_tokens: completion,
      queue_s: queue, ttft_s: status === 'error' ? null : ttft + queue, duration_s: ttft + queue + completion * 0.012, kvasir,
    };
    this.requests = [request, ...this.requests].slice(0, 100);
    for (const listener of this.listeners) listener(request);
  }

  #count(kvasir, prompt, completion) {
    this.#tokens.prompt += prompt;
    this.#tokens.computed += kvasir.computed;
    this.#tokens.reused += prompt - kvasir.computed;
    this.#tokens.completion += completion;
    this.#saved += kvasir.saved_s;
    for (const { from, to, reason } of kvasir.miss) this.#misses[reason] = (this.#misses[reason] ?? 0) + to - from;
  }

  stats() {
    const time = Date.now() / 1000;
    return {
      version: 1, time, uptime_s: time - this.#started,
      model: { id: 'saga', fingerprint: '9f27c1d4a8e05b36', block_tokens: blockTokens, bytes_per_token: bytesPerToken, context: 8192 },
      tiers: this.cache.tiers.stats(), tokens: this.#tokens, misses: this.#misses, requests: this.#counts, saved_s: this.#saved,
      views: viewCounts(this.views),
      ttft: sources.map((tier) =>
        ({ tier, count: this.#ttft[tier].length, p50_s: quantile(this.#ttft[tier], 0.5), p95_s: quantile(this.#ttft[tier], 0.95) })),
    };
  }
}

const amount = (kvasir, source) => (source === 'computed' ? kvasir.computed : kvasir.reused[source]);

function quantile(values, at) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] : null;
}
