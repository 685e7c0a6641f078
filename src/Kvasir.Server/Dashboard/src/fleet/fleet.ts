import { getJson } from '../connection/http';
import type { FleetAnswer, Health } from '../contract';
import { byId, setText } from '../dom';
import { counted } from '../format';
import { NodeRow } from './nodeRow';

const pace = 1000; // ms

/** The nodes behind a router. A page that a node served itself has none, and shows nothing of it. */
export class Fleet {
  #rows = new Map<string, NodeRow>();

  /** Asks once whether this is a router, and then for what its nodes do. */
  async run(): Promise<void> {
    const health = await this.#health();
    if (health?.nodes == null) return;
    byId('fleet').hidden = false;
    byId('fleet-jump').hidden = false;
    for (;;) {
      await this.#ask();
      await new Promise((go) => setTimeout(go, pace));
    }
  }

  async #health(): Promise<Health | null> {
    // without the key, and without regard to the status: a router that has no node says so with one that is an error
    return fetch('health', { cache: 'no-store', credentials: 'omit' }).then((answer) => answer.json() as Promise<Health>).catch(() => null);
  }

  async #ask(): Promise<void> {
    try {
      this.#show(await getJson<FleetAnswer>('v1/fleet'));
      setText(byId('fleet-problem'), '');
    } catch (error) {
      setText(byId('fleet-problem'), error instanceof Error ? error.message : String(error));
    }
  }

  #show(fleet: FleetAnswer): void {
    const alive = fleet.nodes.filter((node) => node.alive).length;
    setText(byId('fleet-summary'), `${alive} of ${counted(fleet.nodes.length, 'node')} there, chosen by ${fleet.policy}`);
    const names = fleet.nodes.map((node) => node.address);
    if (names.join() !== [...this.#rows.keys()].join()) {
      this.#rows = new Map(fleet.nodes.map((node) => [node.address, new NodeRow(node.address)]));
      byId('fleet-nodes').replaceChildren(...[...this.#rows.values()].map((row) => row.element));
    }
    for (const node of fleet.nodes) this.#rows.get(node.address)!.update(node);
  }
}
