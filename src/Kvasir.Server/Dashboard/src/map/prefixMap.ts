import { getJson, sentenceOf } from '../connection/http';
import type { Tree } from '../contract';
import { byId, setText } from '../dom';
import { count, counted } from '../format';
import { cellId, choose, draw, heightOf } from './icicle';
import { walk } from './keyboard';
import { ancestors, below, branchesOf, layOut, rootsOf, type Branch } from './layout';
import { NodePanel } from './nodePanel';

const refreshMs = 10_000;
const leastPixels = 2;

/** The tree of cached prefixes: drawn, walked, zoomed and kept fresh. */
export class PrefixMap {
  #figure = byId<SVGSVGElement>('map-tree');
  #cells = byId<SVGGElement>('map-cells');
  #branches = new Map<string, Branch>();
  #roots: Branch[] = [];
  #active: Branch | null = null;
  #zoom: Branch | null = null;
  #panel: NodePanel;
  #timer = 0;
  #loading = false;

  constructor(private readonly now: () => number) {
    this.#panel = new NodePanel(now, () => this.refreshSoon(0));
    this.#figure.addEventListener('click', (event) => this.#click(event));
    this.#figure.addEventListener('keydown', (event) => this.#key(event));
    this.#figure.addEventListener('pointermove', (event) => this.#hover(event));
    this.#figure.addEventListener('pointerleave', () => this.#tell(null));
    byId('map-out').addEventListener('click', () => this.#zoomTo(null));
    new ResizeObserver(() => this.#draw()).observe(byId('map-scroll'));
  }

  /** Asks for the tree in a moment, once for all the reasons that come up meanwhile, and then now and again. */
  refreshSoon(delay = 1000): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#load(), delay);
  }

  async #load(): Promise<void> {
    if (this.#loading) return this.refreshSoon();
    this.#loading = true;
    try {
      this.#take(await getJson<Tree>('v1/kv/tree?text=1&limit=2000'));
      setText(byId('map-problem'), '');
    } catch (error) {
      setText(byId('map-problem'), `The map could not be read. ${sentenceOf(error)}`);
    }
    this.#loading = false;
    this.refreshSoon(refreshMs);
  }

  #take(tree: Tree): void {
    this.#branches = branchesOf(tree.nodes);
    this.#roots = rootsOf(this.#branches);
    this.#active = this.#again(this.#active);
    this.#zoom = this.#again(this.#zoom);
    this.#panel.textAllowed = tree.text;
    this.#panel.show(this.#active);
    const some = tree.nodes.length > 0;
    byId('map-empty').hidden = some;
    byId('map-some').hidden = !some;
    this.#summarise(tree);
    this.#draw();
  }

  #summarise(tree: Tree): void {
    const tokens = this.#roots.reduce((sum, root) => sum + root.weight, 0);
    const cut = tree.truncated ? ` Only the first ${count(tree.nodes.length)} are shown.` : '';
    setText(byId('map-summary'), `${counted(tree.nodes.length, 'prefix', 'prefixes')}, ${counted(tokens, 'token')}.${cut}`);
  }

  /** The same node in a newer tree. */
  #again = (branch: Branch | null): Branch | null => (branch && this.#branches.get(branch.node.id)) ?? null;

  #draw(): void {
    const pixels = this.#figure.clientWidth || 1;
    const drawing = layOut(this.#roots, this.#zoom, leastPixels / pixels);
    this.#cells.replaceChildren(...draw(drawing, pixels, this.now()));
    this.#figure.style.height = `${heightOf(drawing.rows)}px`;
    byId<HTMLButtonElement>('map-out').disabled = !this.#zoom;
    this.#mark();
  }

  /** Shows which cell is chosen, and tells screen readers where the focus is inside of the drawing. Null when it is not drawn. */
  #mark(): Element | null {
    const cell = this.#active && document.getElementById(cellId(this.#active.node));
    for (const old of this.#cells.querySelectorAll('.active')) choose(old, false);
    if (cell) {
      choose(cell, true);
      this.#figure.setAttribute('aria-activedescendant', cell.id);
    } else this.#figure.removeAttribute('aria-activedescendant');
    return cell;
  }

  #select(branch: Branch): void {
    this.#active = branch;
    this.#panel.show(branch);
    if (this.#zoom && !isRelated(branch, this.#zoom)) this.#zoomTo(branch.parent);
    this.#reveal(branch);
  }

  /** Zooms in as little as it takes to see a branch at all. */
  #reveal(branch: Branch): void {
    for (const zoom of [this.#zoom, branch.parent, branch]) {
      if (zoom !== this.#zoom) this.#zoomTo(zoom);
      const cell = this.#mark();
      if (cell) return cell.scrollIntoView({ block: 'nearest' });
    }
  }

  #zoomTo(branch: Branch | null): void {
    this.#zoom = branch;
    this.#draw();
  }

  #click(event: MouseEvent): void {
    const branch = this.#at(event);
    if (!branch) return;
    this.#zoomTo(branch === this.#zoom ? branch.parent : branch);
    this.#select(branch);
  }

  #hover(event: PointerEvent): void {
    this.#tell(this.#at(event));
  }

  /** The line beneath the map: what the pointer is on. The panel stays with what was chosen. */
  #tell(branch: Branch | null): void {
    this.#panel.tell(branch);
  }

  #at(event: Event): Branch | null {
    const id = (event.target as Element).closest('[data-node]')?.getAttribute('data-node');
    return (id != null && this.#branches.get(id)) || null;
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' && this.#active) this.#zoomTo(this.#active === this.#zoom ? this.#active.parent : this.#active);
    else if (event.key === 'Escape' && this.#zoom) this.#zoomTo(this.#zoom.parent);
    else if (!this.#walk(event.key)) return;
    event.preventDefault();
  }

  #walk(key: string): boolean {
    const next = walk(key, this.#active, this.#roots);
    if (next) this.#select(next);
    return next !== null;
  }
}

const isRelated = (branch: Branch, zoom: Branch): boolean => ancestors(zoom).includes(branch) || below(zoom).includes(branch);
