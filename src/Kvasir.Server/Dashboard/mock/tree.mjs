// The cache as runs of blocks without a branch, and what can be done to one of them.
import { tierNames } from './tiers.mjs';

/** Nodes as /v1/kv/tree answers them, parents first, each with the `blocks` that it is made of under `run`. */
export function nodesOf(cache) {
  const children = new Map();
  for (const block of cache.blocks.values()) children.set(block.parent, [...(children.get(block.parent) ?? []), block]);
  const nodes = [];
  const waiting = (children.get(null) ?? []).map((block) => ({ block, parent: null }));
  while (waiting.length) {
    const { block, parent } = waiting.shift();
    const run = [block];
    for (let next = children.get(block.key); next?.length === 1; next = children.get(next[0].key)) run.push(next[0]);
    nodes.push({ id: block.key, parent, run });
    for (const child of children.get(run.at(-1).key) ?? []) waiting.push({ block: child, parent: block.key });
  }
  return nodes;
}

export function treeOf(cache, { text, limit }) {
  const nodes = nodesOf(cache);
  return { version: 1, text, truncated: nodes.length > limit, nodes: nodes.slice(0, limit).map((node) => describe(cache, node, text)) };
}

function describe(cache, { id, parent, run }, text) {
  const now = Date.now() / 1000;
  const from = run[0].from;
  return {
    id, parent, from, to: from + run.length * run[0].tokens.length, blocks: run.length,
    tiers: Object.fromEntries(tierNames.map((tier) => [tier, run.filter((block) => cache.tiers.has(tier, block.key)).length])),
    last_use: Math.max(...run.map((block) => block.lastUse)), hits: run[0].hits,
    pinned: run.some((block) => block.pinnedUntil > now), leased: run.some((block) => block.leased),
    text: text ? run.flatMap((block) => block.tokens).join('').slice(0, 400) : null,
  };
}

/** The blocks from the root to the end of a node, as pinning needs them. */
export function pathTo(cache, node) {
  const path = [...node.run];
  for (let at = cache.blocks.get(node.run[0].parent); at; at = cache.blocks.get(at.parent)) path.push(at);
  return path;
}

/** A node's blocks and all that continue them. */
export function blocksBelow(cache, node) {
  const nodes = nodesOf(cache);
  const ids = new Set([node.id]);
  for (const one of nodes) if (ids.has(one.parent)) ids.add(one.id);
  return nodes.filter((one) => ids.has(one.id)).flatMap((one) => one.run);
}

export function evict(cache, blocks, tiers) {
  const now = Date.now() / 1000;
  const kept = blocks.filter((block) => block.leased || block.pinnedUntil > now);
  let evicted = 0;
  for (const block of blocks.filter((one) => !kept.includes(one))) {
    const removed = tiers.filter((tier) => cache.tiers.remove(tier, block.key));
    if (removed.length) evicted++;
    cache.forget(block.key);
  }
  return { evicted_blocks: evicted, kept_blocks: kept.length };
}
