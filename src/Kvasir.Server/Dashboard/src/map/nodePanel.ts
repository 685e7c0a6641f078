import { sentenceOf } from '../connection/http';
import { tierNames, type TierName, type TreeNode } from '../contract';
import { byId, h, setText } from '../dom';
import { swatch } from '../explain/sources';
import { ago, count, counted, day, range } from '../format';
import { evict, evictAll, pin, unpin } from './actions';
import { confirmEvict } from './evictDialog';
import { below, type Branch } from './layout';
import { nodeSentence } from './words';

/** What is known about the chosen node, and what can be done to it. */
export class NodePanel {
  textAllowed = false;
  #branch: Branch | null = null;
  #pin = byId<HTMLButtonElement>('node-pin');
  #unpin = byId<HTMLButtonElement>('node-unpin');

  constructor(private readonly now: () => number, private readonly changed: () => void) {
    this.#pin.addEventListener('click', () => this.#act((node) => pin(node.id, byId<HTMLSelectElement>('node-ttl').value)));
    this.#unpin.addEventListener('click', () => this.#act((node) => unpin(node.id)));
    byId('node-evict').addEventListener('click', () => void this.#confirm());
    byId('map-clear').addEventListener('click', () => void this.#confirmAll());
  }

  show(branch: Branch | null): void {
    this.#branch = branch;
    byId('node-none').hidden = branch !== null;
    byId('node-some').hidden = branch === null;
    if (branch) this.#fill(branch);
  }

  /** One line about whatever the pointer is on. */
  tell(branch: Branch | null): void {
    setText(byId('map-hover'), branch ? nodeSentence(branch.node, this.now()) : '');
  }

  #fill({ node, children }: Branch): void {
    setText(byId('node-range'), `Tokens ${range(node.from, node.to)}`);
    setText(byId('node-blocks'), counted(node.blocks, 'block'));
    byId('node-hits').parentElement!.hidden = node.hits == null;
    setText(byId('node-hits'), count(node.hits ?? 0));
    setText(byId('node-used'), node.last_use == null ? 'not known' : ago(this.now() - node.last_use));
    byId('node-used').title = node.last_use == null ? '' : day(node.last_use);
    setText(byId('node-below'), children.length === 0 ? 'nothing' : counted(children.length, 'continuation'));
    setText(byId('node-state'), [node.pinned ? 'pinned' : 'not pinned', node.leased ? 'in use now' : 'not in use'].join(', '));
    byId('node-tiers').replaceChildren(...tierNames.filter((tier) => node.tiers[tier] != null).map((tier) => tierLine(tier, node)));
    this.#text(node);
    this.#unpin.disabled = !node.pinned;
  }

  #text(node: TreeNode): void {
    const text = byId('node-text');
    setText(text, node.text ?? (this.textAllowed ? 'no text for these tokens' : 'text hidden'));
    text.classList.toggle('absent', node.text == null);
  }

  async #confirm(): Promise<void> {
    const branch = this.#branch;
    if (!branch) return;
    const all = below(branch);
    const blocks = all.reduce((sum, { node }) => sum + node.blocks, 0);
    const what = `tokens ${range(branch.node.from, branch.node.to)}${all.length > 1 ? ' and everything that continues them' : ''}`;
    const choice = await confirmEvict(`Evict ${what}?`, `${counted(blocks, 'block')}.`, true);
    if (choice) await this.#run(() => evict(branch.node.id, choice.tier));
  }

  async #confirmAll(): Promise<void> {
    if (await confirmEvict('Evict everything?', 'The whole cache, from every tier.', false)) await this.#run(evictAll);
  }

  #act(action: (node: TreeNode) => Promise<string>): void {
    const node = this.#branch?.node;
    if (node) void this.#run(() => action(node));
  }

  async #run(action: () => Promise<string>): Promise<void> {
    const said = byId('map-said');
    try {
      setText(said, await action());
      said.classList.remove('problem');
    } catch (error) {
      setText(said, `Nothing was changed. ${sentenceOf(error)}`);
      said.classList.add('problem');
    }
    this.changed();
  }
}

const tierLine = (tier: TierName, node: TreeNode): HTMLElement =>
  h('li', {}, swatch(tier), h('span', {}, tier), h('span', { class: 'num' }, `${count(node.tiers[tier] ?? 0)} of ${count(node.blocks)}`));
