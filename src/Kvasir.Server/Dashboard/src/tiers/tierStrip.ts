import { tierNames, type Stats, type TierName } from '../contract';
import { byId } from '../dom';
import { flowsBetween } from './flow';
import { TierCard } from './tierCard';

/** The tiers that the server has, warmest first. */
export class TierStrip {
  #root = byId('tier-cards');
  #cards = new Map<TierName, TierCard>();
  #before: Stats | null = null;

  update(stats: Stats): void {
    this.#match(stats);
    const flows = flowsBetween(this.#before, stats);
    for (const tier of stats.tiers) this.#cards.get(tier.tier)?.update(
      tier, flows.get(tier.tier), stats.windows?.tiers.find((windows) => windows.tier === tier.tier));
    this.#before = stats;
  }

  /** Cards are made once, and again only when a server with other tiers took over. */
  #match(stats: Stats): void {
    const present = tierNames.filter((name) => stats.tiers.some((tier) => tier.tier === name));
    if (present.join() === [...this.#cards.keys()].join() && this.#cards.size > 0) return;
    this.#cards = new Map(present.map((name) => [name, new TierCard(name)]));
    this.#root.replaceChildren(...[...this.#cards.values()].map((card) => card.element));
    byId('tiers-empty').hidden = present.length > 0;
  }
}
