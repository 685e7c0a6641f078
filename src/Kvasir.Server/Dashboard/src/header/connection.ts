import type { LinkState } from '../connection/live';
import { byId, setText } from '../dom';

/** Says whether what the page shows is live, and when it will try again if not. */
export class ConnectionView {
  #root = byId('connection');
  #countdown = byId('connection-countdown');
  #retry = byId<HTMLButtonElement>('connection-retry');
  #timer = 0;

  constructor(retry: () => void) {
    this.#retry.addEventListener('click', retry);
  }

  show(state: LinkState): void {
    clearInterval(this.#timer);
    this.#root.dataset['state'] = state.kind;
    this.#retry.hidden = state.kind !== 'waiting';
    setText(byId('connection-text'), sentence(state));
    setText(this.#countdown, '');
    if (state.kind !== 'connecting') byId('main').classList.toggle('stale', state.kind !== 'live');
    if (state.kind === 'waiting') this.#count(state.seconds);
  }

  /** The countdown stands outside of the live region: nobody wants to hear every second of it. */
  #count(left: number): void {
    const show = () => setText(this.#countdown, left > 0 ? `Trying again in ${left--} s` : 'Trying again');
    show();
    this.#timer = window.setInterval(show, 1000);
  }
}

function sentence(state: LinkState): string {
  switch (state.kind) {
    case 'connecting': return 'Connecting';
    case 'live': return 'Live';
    case 'key': return 'An API key is needed';
    case 'waiting': return `Not live: ${state.why}`;
  }
}
