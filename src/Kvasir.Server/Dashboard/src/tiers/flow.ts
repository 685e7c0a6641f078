import type { Stats, TierName } from '../contract';

/** Bytes a second into and out of a tier; null while unknown. */
export interface Flow { in: number | null; out: number | null }

/** Rates from the difference of two readings. A counter that went back means that the server has restarted. */
export function flowsBetween(before: Stats | null, now: Stats): Map<TierName, Flow> {
  const elapsed = before ? now.time - before.time : 0;
  return new Map(now.tiers.map((tier) => {
    const old = before?.tiers.find((other) => other.tier === tier.tier);
    const speed = (from: number | undefined, to: number) => (from == null || elapsed <= 0 || to < from ? null : (to - from) / elapsed);
    return [tier.tier, { in: speed(old?.in_bytes, tier.in_bytes), out: speed(old?.out_bytes, tier.out_bytes) }];
  }));
}
