import { postJson } from '../connection/http';
import type { Evicted, Explained, Pinned, TierName, Unpinned } from '../contract';
import { clock, counted, day } from '../format';

const owner = 'dashboard';

// Each does one thing to the cache and says in a sentence what came of it.

export async function pin(id: string, ttl: string): Promise<string> {
  const { pinned_blocks, until } = await postJson<Pinned>('v1/kv/pin', { id, owner, ttl });
  return `Pinned ${counted(pinned_blocks, 'block')} until ${when(until)}.`;
}

export async function unpin(id: string): Promise<string> {
  const result = await postJson<Unpinned>('v1/kv/unpin', { id });
  return `Unpinned ${counted(result.unpinned_blocks, 'block')}.`;
}

export async function evict(id: string, tier: TierName | ''): Promise<string> {
  const from = tier ? ` from ${tier}` : '';
  return evicted(await postJson<Evicted>('v1/kv/evict', { id, ...(tier && { tier }) }), from);
}

export const evictAll = async (): Promise<string> => evicted(await postJson<Evicted>('v1/kv/evict', { all: true }), '');

export const lookUp = (prompt: string): Promise<Explained> => postJson('v1/kv/lookup', { prompt });

export const warm = (prompt: string): Promise<Explained> => postJson('v1/kv/warm', { prompt });

function evicted({ evicted_blocks, kept_blocks }: Evicted, from: string): string {
  const kept = kept_blocks > 0
    ? ` ${counted(kept_blocks, 'block')} stayed, because somebody leases or has pinned ${kept_blocks === 1 ? 'it' : 'them'}.`
    : '';
  return `Evicted ${counted(evicted_blocks, 'block')}${from}.${kept}`;
}

const when = (time: number): string => (time - Date.now() / 1000 < 86_000 ? clock(time) : day(time));
