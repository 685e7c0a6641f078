// A prefix cache over pretended tokens: looks prompts up, keeps them, and explains itself as the real one does.
import { createHash } from 'node:crypto';
import { Tiers, bandwidth, blockTokens, bytesPerToken, tierNames } from './tiers.mjs';

export const prefillRate = 850; // tokens a second

export const tokenize = (text) => text.match(/\s?[\p{L}\p{N}]{1,6}|\s?[^\s\p{L}\p{N}]|\s+/gu) ?? [];

const keyOf = (parent, tokens) =>
  createHash('sha256').update(parent ?? 'root').update('\0').update(tokens.join('\0')).digest('hex').slice(0, 16);

export class Cache {
  tiers = new Tiers();
  blocks = new Map();
  #forgotten = new Set();

  /** Which tokens of a prompt would come from where. `keep` runs it for real. */
  explain(tokens, keep) {
    const path = this.#path(tokens);
    const found = path.findIndex(({ key }) => !this.tiers.warmest(key));
    const hits = found < 0 ? path : path.slice(0, found);
    const reused = { device: 0, host: 0, disk: 0 };
    const spans = [];
    for (const block of hits) {
      const source = this.tiers.warmest(block.key);
      reused[source] += blockTokens;
      grow(spans, block.from, block.from + blockTokens, source);
      if (keep) this.#use(block, source);
    }
    const from = hits.length * blockTokens;
    if (from < tokens.length) spans.push({ from, to: tokens.length, source: 'computed' });
    const miss = from < tokens.length ? [this.#reason(path, hits.length, tokens, from)] : [];
    if (keep) for (const block of path.slice(hits.length)) this.#add(block);
    return { reused, computed: tokens.length - from, ...cost(reused), spans, miss };
  }

  #path(tokens) {
    const path = [];
    for (let from = 0, parent = null; from + blockTokens < tokens.length; from += blockTokens) {
      const part = tokens.slice(from, from + blockTokens);
      const key = keyOf(parent, part);
      path.push(this.blocks.get(key) ?? { key, parent, from, tokens: part, hits: 0, lastUse: 0, pinnedUntil: 0, leased: false });
      parent = key;
    }
    return path;
  }

  #reason(path, at, tokens, from) {
    const to = tokens.length;
    if (at === path.length) return { from, to, reason: 'below_block_size', detail: null };
    if (this.#forgotten.has(path[at].key)) return { from, to, reason: 'evicted', detail: null };
    const other = [...this.blocks.values()].find((block) => block.parent === path[at].parent && block.from === from);
    const differs = other ? other.tokens.findIndex((token, index) => token !== tokens[from + index]) : -1;
    if (differs <= 0) return { from, to, reason: 'never_seen', detail: null };
    const detail = `${JSON.stringify(tokens[from + differs])} was ${JSON.stringify(other.tokens[differs])}`;
    return { from: from + differs, to, reason: 'diverged', detail };
  }

  #use(block, source) {
    this.tiers.hit(source);
    block.hits++;
    block.lastUse = Date.now() / 1000;
    for (const tier of tierNames.slice(0, tierNames.indexOf(source) + 1)) this.#put(tier, block);
  }

  #add(block) {
    block.lastUse = Date.now() / 1000;
    this.blocks.set(block.key, block);
    this.#forgotten.delete(block.key);
    for (const tier of tierNames) this.#put(tier, block);
  }

  #put(tier, block) {
    for (const key of this.tiers.put(tier, block)) this.forget(key);
  }

  /** A block that no tier holds any more is gone. */
  forget(key) {
    if (this.tiers.warmest(key)) return;
    this.blocks.delete(key);
    this.#forgotten.add(key);
  }
}

function grow(spans, from, to, source) {
  const last = spans.at(-1);
  if (last?.source === source) last.to = to;
  else spans.push({ from, to, source });
}

function cost(reused) {
  const restored = reused.host + reused.disk;
  const restore_s = tierNames.reduce((sum, tier) => sum + (reused[tier] * bytesPerToken) / bandwidth[tier], 0);
  const tokens = reused.device + restored;
  return { restored_bytes: restored * bytesPerToken, restore_s, saved_s: Math.max(0, tokens / prefillRate - restore_s) };
}
