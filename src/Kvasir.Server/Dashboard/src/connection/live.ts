import type { ServedRequest, Stats } from '../contract';
import { ApiError, send, sentenceOf } from './http';
import { keyEvents } from './key';
import { readEvents } from './sse';

export type LinkState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'key' }
  | { kind: 'waiting'; seconds: number; why: string };

interface Listener {
  state(state: LinkState): void;
  stats(stats: Stats): void;
  request(request: ServedRequest): void;
}

/** Stats come every second; after this long without any, the connection is dead even if nobody said so. */
const silenceMs = 15_000;
const longestWait = 15;

/** Keeps the event stream open: reconnects with growing pauses, and waits for a key when the server wants one. */
export class Live {
  #attempts = 0;
  #wake: () => void = () => {};

  constructor(private readonly listener: Listener) {
    keyEvents.addEventListener('changed', () => this.retryNow());
    addEventListener('online', () => this.retryNow());
  }

  async run(): Promise<never> {
    for (;;) {
      try {
        this.listener.state({ kind: 'connecting' });
        await this.#listen();
        throw new Error('The server closed the connection.');
      } catch (error) {
        await this.#pause(error);
      }
    }
  }

  retryNow(): void {
    this.#attempts = 0;
    this.#wake();
  }

  async #listen(): Promise<void> {
    const abort = new AbortController();
    const silence = () => setTimeout(() => abort.abort(new Error('The server fell silent.')), silenceMs);
    let watch = silence();
    try {
      const response = await send('v1/kv/events', { signal: abort.signal });
      for await (const { event, data } of readEvents(response.body!)) {
        clearTimeout(watch);
        watch = silence();
        this.#dispatch(event, data);
      }
    } finally {
      clearTimeout(watch);
    }
  }

  #dispatch(event: string, data: string): void {
    if (event === 'stats') {
      this.#attempts = 0;
      this.listener.state({ kind: 'live' });
      this.listener.stats(JSON.parse(data) as Stats);
    } else if (event === 'request') this.listener.request(JSON.parse(data) as ServedRequest);
  }

  async #pause(error: unknown): Promise<void> {
    const needsKey = error instanceof ApiError && error.status === 401;
    const seconds = Math.min(longestWait, 2 ** this.#attempts++);
    this.listener.state(needsKey ? { kind: 'key' } : { kind: 'waiting', seconds, why: sentenceOf(error) });
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    const rested = new Promise<void>((resolve) => void (needsKey || setTimeout(resolve, seconds * 1000)));
    await Promise.race([woken, rested]);
  }
}
