import type { ChatMessage } from '../contract';
import { h, hidden } from '../dom';
import { Answer } from './answer';

/** A question and what came of it: an answer, or several where tools are called in between. */
export class Turn {
  readonly element: HTMLElement;
  #answers: Answer[] = [];

  constructor(readonly question: string) {
    this.element = h('li', { class: 'turn' },
      h('div', { class: 'question' }, hidden('You: '), h('div', { class: 'said' }, question)));
  }

  /** Begins the next answer. */
  begin(answered: () => void): Answer {
    this.#answers.at(-1)?.calls.close();
    const answer = new Answer(answered);
    this.#answers.push(answer);
    this.element.append(answer.element);
    return answer;
  }

  /** Takes the last answer back. False when it was the only one. */
  retract(): boolean {
    this.#answers.pop()?.element.remove();
    this.#answers.at(-1)?.calls.open();
    return this.#answers.length > 0;
  }

  /** Nothing will be said to its calls any more. */
  end(): void {
    this.#answers.at(-1)?.calls.close();
  }

  /** What later prompts repeat. A turn without an answer is left out: most templates refuse two questions in a row. */
  messages(): ChatMessage[] {
    const answers = this.#answers.filter((answer) => answer.any);
    return answers.length ? this.#through(answers) : [];
  }

  /** What the next answer of this turn is asked. */
  asked(): ChatMessage[] {
    return this.#through(this.#answers.filter((answer) => answer.any));
  }

  #through(answers: Answer[]): ChatMessage[] {
    const said = answers.flatMap((answer) => [answer.message(), ...answer.calls.results()]);
    return [{ role: 'user', content: this.question }, ...said];
  }
}
