// Three bounded tiers of blocks with least-recently-used eviction: enough of a cache for a page to look at.

export const blockTokens = 16;
export const bytesPerToken = 32_768;
const blockBytes = blockTokens * bytesPerToken;

export const tierNames = ['device', 'host', 'disk'];
const capacity = { device: 160, host: 280, disk: 4096 };
export const bandwidth = { device: Infinity, host: 6 * 2 ** 30, disk: 0.9 * 2 ** 30 };

export class Tiers {
  #tiers = Object.fromEntries(tierNames.map((name) =>
    [name, { blocks: new Map(), hitTokens: 0, evictions: 0, inBytes: 0, inS: 0, outBytes: 0, outS: 0 }]));

  has = (name, key) => this.#tiers[name].blocks.has(key);

  warmest = (key) => tierNames.find((name) => this.has(name, key)) ?? null;

  /** Puts a block into a tier, or marks it as used, and makes room. Returns the keys that had to go. */
  put(name, block) {
    const tier = this.#tiers[name];
    if (!tier.blocks.delete(block.key)) {
      tier.inBytes += blockBytes;
      tier.inS += blockBytes / Math.min(bandwidth[name], 20 * 2 ** 30);
    }
    tier.blocks.set(block.key, block);
    const gone = [];
    for (const victim of tier.blocks.values()) {
      if (tier.blocks.size <= capacity[name]) break;
      if (victim.pinnedUntil > Date.now() / 1000 || victim.leased) continue;
      tier.blocks.delete(victim.key);
      tier.evictions++;
      gone.push(victim.key);
    }
    return gone;
  }

  hit(name) {
    const tier = this.#tiers[name];
    tier.hitTokens += blockTokens;
    tier.outBytes += blockBytes;
    tier.outS += blockBytes / Math.min(bandwidth[name], 20 * 2 ** 30);
  }

  remove(name, key) {
    const removed = this.#tiers[name].blocks.delete(key);
    if (removed) this.#tiers[name].evictions++;
    return removed;
  }

  stats() {
    return tierNames.map((name) => {
      const tier = this.#tiers[name];
      const all = [...tier.blocks.values()];
      const now = Date.now() / 1000;
      return {
        tier: name, capacity_bytes: capacity[name] * blockBytes, used_bytes: tier.blocks.size * blockBytes,
        capacity_blocks: capacity[name], blocks: tier.blocks.size,
        leased_blocks: all.filter((block) => block.leased).length, pinned_blocks: all.filter((block) => block.pinnedUntil > now).length,
        evictions: tier.evictions, hit_tokens: tier.hitTokens,
        in_bytes: tier.inBytes, in_s: tier.inS, out_bytes: tier.outBytes, out_s: tier.outS,
        ...(name === 'disk' && { directory: '~/.cache/kvasir/kv', problem: null }),
      };
    });
  }
}
