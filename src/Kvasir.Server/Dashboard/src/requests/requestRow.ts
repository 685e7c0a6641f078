import type { Explain, ServedRequest } from '../contract';
import { h, hidden, setNumber } from '../dom';
import { ribbon, ribbonWords } from '../explain/ribbon';
import { reusedTokens } from '../explain/sources';
import { throughPolicy } from '../explain/words';
import { clock, count, counted, day, seconds } from '../format';

const statusNames: Record<string, string> = {
  stop: 'done', length: 'cut off', tool_calls: 'tool call', cancelled: 'cancelled', error: 'failed',
};

/** One request: a line that opens into the words. */
export function requestRow(request: ServedRequest): HTMLElement {
  return h('li', {},
    h('details', { class: 'request' },
      h('summary', {}, ...line(request)),
      h('div', { class: 'request-body' }, ...words(request))));
}

function line(request: ServedRequest): HTMLElement[] {
  const { kvasir } = request;
  return [
    h('time', { class: 'num', datetime: new Date(request.time * 1000).toISOString(), title: day(request.time) }, clock(request.time)),
    h('span', { class: `status status-${request.status}` }, statusNames[request.status] ?? request.status),
    kvasir ? ribbon(kvasir) : h('span', { class: 'ribbon none' }),
    cell('reused', 'reused tokens', kvasir && reusedTokens(kvasir), count,
      h('span', { class: 'of' }, ` of ${count(request.prompt_tokens)}`), ...through(kvasir)),
    cell('ttft', 'TTFT', request.ttft_s, seconds),
    cell('queue', 'queued', request.queue_s, seconds),
    cell('saved', 'saved', kvasir?.saved_s, seconds),
  ];
}

/** What was reused through a view is not the whole of it. */
const through = (explain: Explain | null): HTMLElement[] => {
  const policy = explain && throughPolicy(explain);
  return policy ? [h('span', { class: 'through', 'data-testid': 'request-through' }, hidden(' through '), policy)] : [];
};

/** The name is visible where there is no heading above (phones), and heard everywhere. */
function cell(
  name: string, label: string, value: number | null | undefined, format: (value: number) => string, ...rest: HTMLElement[]): HTMLElement {
  const slot = h('span', { 'data-testid': `request-${name}` });
  setNumber(slot, value, format);
  return h('span', { class: `num cell-${name}` }, h('span', { class: 'cell-label' }, `${label} `), slot, ...rest);
}

function words(request: ServedRequest): HTMLElement[] {
  const facts = h('p', { class: 'note' },
    `${request.endpoint} · ${counted(request.prompt_tokens, 'prompt token')}, ${counted(request.completion_tokens, 'completion token')} · `
      + `${seconds(request.duration_s)} in all · `,
    hidden('id '), h('code', {}, request.id));
  return [explained(request.kvasir), facts];
}

const explained = (explain: Explain | null): HTMLElement =>
  explain ? ribbonWords(explain) : h('p', { class: 'note' }, 'The server did not explain this request.');
