import { tierNames, type FleetNode, type Tier } from '../contract';
import { h, numberSlot, setNumber, setText } from '../dom';
import { swatch, tierTitles } from '../explain/sources';
import { bytes, count, seconds } from '../format';

/** A node behind a router: whether it is there, what it has to do, what it has, and what came of what was sent to it. */
export class NodeRow {
  readonly element: HTMLElement;
  #slots: Record<string, HTMLElement> = {};
  #name = h('a', { rel: 'noreferrer' });
  #state = h('span', { class: 'node-state' });
  #since = h('span', { class: 'soft num' });
  #role = h('span', { class: 'soft' });
  #problem = h('p', { class: 'problem', role: 'alert' });
  #tiers = h('ul', { class: 'node-tiers' });
  #helpers = h('ul', { class: 'node-helpers soft' });

  constructor(private readonly address: string) {
    this.#name.href = `${address}/`;
    this.element = h('li', { class: 'node', 'data-testid': 'fleet-node' },
      h('header', {}, h('span', { class: 'lamp', 'aria-hidden': 'true' }), h('h3', {}, this.#name), this.#state, this.#since, this.#role),
      this.#problem,
      h('dl', { class: 'node-facts' },
        fact('Running', this.#slot('running')),
        fact('Waiting', this.#slot('waiting')),
        fact('Prompt tokens to come', this.#slot('queued')),
        fact('Routed', this.#slot('routed')),
        fact('… where a prefix was known', this.#slot('hinted')),
        fact('Retried elsewhere', this.#slot('retried')),
        fact('Failed', this.#slot('failed')),
        fact('Known pieces', this.#slot('known')),
        fact('Holes it left', this.#slot('lost'))),
      this.#tiers, this.#helpers);
  }

  update(node: FleetNode): void {
    this.element.dataset['alive'] = String(node.alive);
    setText(this.#name, node.name);
    setText(this.#state, node.alive ? 'there' : 'not there');
    setText(this.#since, `for ${seconds(node.since_s)}`);
    setText(this.#role, node.role && node.role !== 'both' ? `${node.role} only` : '');
    setText(this.#problem, node.problem ?? '');
    this.#set('running', node.running);
    this.#set('waiting', node.waiting);
    this.#set('queued', node.queued_tokens);
    this.#set('routed', node.routed_requests);
    this.#set('hinted', node.hinted_requests);
    this.#set('retried', node.retried_requests);
    this.#set('failed', node.failed_requests);
    this.#set('known', node.known_pieces);
    this.#set('lost', node.lost_pieces);
    this.#helpers.replaceChildren(...(node.stats?.node?.prefill_nodes ?? []).map((helper) =>
      h('li', {},
        `${helper.name ?? helper.address} brought ${count(helper.brought_tokens)} of ${count(helper.asked_tokens)} tokens asked for`,
        helper.problem ? h('span', { class: 'problem' }, ` ${helper.problem}`) : null)));
    this.#tiers.replaceChildren(...(node.stats?.tiers ?? []).map(tierOf), 
      ...(node.stats?.peer_tokens ? [line('By other nodes', `${count(node.stats.peer_tokens)} tokens`)] : []),
      ...(node.stats ? [line('Computed', `${count(node.stats.tokens.computed)} tokens`)] : []));
  }

  #slot(name: string): HTMLElement {
    return (this.#slots[name] = numberSlot(`fleet-${new URL(this.address).port}-${name}`));
  }

  #set(name: string, value: number): void {
    setNumber(this.#slots[name]!, value, count);
  }
}

/** A tier's use, and the tokens that it gave; a tier that this page does not know yet goes by its own name. */
function tierOf(tier: Tier): HTMLElement {
  const known = tierNames.includes(tier.tier);
  const full = tier.capacity_bytes > 0 ? Math.min(100, (100 * tier.used_bytes) / tier.capacity_bytes) : 0;
  const used = h('span', { class: known ? `fill-${tier.tier}` : 'fill-computed' });
  used.style.width = `${full}%`;
  return h('li', {}, swatch(known ? tier.tier : 'computed'), h('span', { class: 'node-tier' }, known ? tierTitles[tier.tier] : tier.tier),
    h('span', { class: 'meter', 'aria-hidden': 'true' }, used),
    h('span', { class: 'num' }, bytes(tier.used_bytes)), h('span', { class: 'num' }, `${count(tier.hit_tokens)} hit tokens`));
}

const line = (name: string, tokens: string): HTMLElement =>
  h('li', {}, swatch('computed'), h('span', { class: 'node-tier' }, name), h('span', { class: 'node-gap' }), h('span', { class: 'num' }, tokens));

const fact = (name: string, value: HTMLElement): HTMLElement => h('div', {}, h('dt', {}, name), h('dd', {}, value));
