import { getJson } from '../connection/http';
import type { ServedRequest } from '../contract';
import { byId } from '../dom';
import { requestRow } from './requestRow';

const most = 100;

/** The last requests, newest first. */
export class RequestList {
  #list = byId('request-list');
  #known = new Map<string, HTMLElement>();

  /** What was served before the page was opened, or while it was not connected. Fails silently: the next connection asks again. */
  async load(): Promise<void> {
    const { requests } = await getJson<{ requests: ServedRequest[] }>('v1/kv/requests').catch(() => ({ requests: [] }));
    for (const request of requests.reverse()) this.add(request);
    byId('requests-loading').hidden = true;
    this.#showEmpty();
  }

  add(request: ServedRequest): void {
    if (this.#known.has(request.id)) return;
    const row = requestRow(request);
    this.#known.set(request.id, row);
    this.#list.prepend(row);
    for (const [id, oldest] of this.#known) {
      if (this.#known.size <= most) break;
      this.#known.delete(id);
      oldest.remove();
    }
    this.#showEmpty();
  }

  #showEmpty(): void {
    byId('requests-empty').hidden = this.#known.size > 0;
    byId('requests-some').hidden = this.#known.size === 0;
  }
}
