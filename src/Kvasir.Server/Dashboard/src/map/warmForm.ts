import { sentenceOf } from '../connection/http';
import type { Explained } from '../contract';
import { byId, h } from '../dom';
import { ribbon, ribbonWords } from '../explain/ribbon';
import { reusedTokens } from '../explain/sources';
import { count, counted } from '../format';
import { lookUp, warm } from './actions';

/** Puts a prompt into the cache before anybody asks, or says what would be found of it. */
export function wireWarmForm(changed: () => void): void {
  const form = byId<HTMLFormElement>('warm-form');
  form.addEventListener('submit', (event) => event.preventDefault());
  byId('warm-run').addEventListener('click', () => void run(warm, warmed).then(changed));
  byId('warm-look').addEventListener('click', () => void run(lookUp, found));
}

const warmed = ({ prompt_tokens, kvasir }: Explained): string =>
  `Warmed ${counted(prompt_tokens, 'token')}: ${count(kvasir.computed)} computed, ${count(reusedTokens(kvasir))} were cached already.`;

const found = ({ prompt_tokens, kvasir }: Explained): string =>
  `${count(reusedTokens(kvasir))} of ${counted(prompt_tokens, 'token')} would be reused, ${count(kvasir.computed)} computed.`;

async function run(ask: (prompt: string) => Promise<Explained>, words: (result: Explained) => string): Promise<void> {
  const prompt = byId<HTMLTextAreaElement>('warm-prompt').value;
  const said = byId('warm-said');
  if (!prompt.trim()) return said.replaceChildren(h('p', { class: 'problem' }, 'Paste a prompt first.'));
  busy(true);
  try {
    const result = await ask(prompt);
    said.replaceChildren(h('p', {}, words(result)), ribbon(result.kvasir), ribbonWords(result.kvasir));
  } catch (error) {
    said.replaceChildren(h('p', { class: 'problem' }, sentenceOf(error)));
  }
  busy(false);
}

function busy(on: boolean): void {
  for (const id of ['warm-run', 'warm-look']) byId<HTMLButtonElement>(id).disabled = on;
  byId('warm-form').setAttribute('aria-busy', String(on));
}
