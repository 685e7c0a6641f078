import type { Explain } from '../contract';
import { h } from '../dom';
import { bytes, range, seconds } from '../format';
import { inBlocks } from './blocks';
import { isSource, sourceNames, swatch } from './sources';
import { draftsSentence, missSentence, retentionSentence, spansSentence } from './words';

/** A prompt as one line: which tokens came from which tier, and which were computed. */
export function ribbon(explain: Explain): HTMLElement {
  const bar = h('span', { class: 'ribbon', role: 'img', 'aria-label': spansSentence(explain) });
  for (const span of explain.spans) {
    const piece = h('span', { class: `fill-${isSource(span.source) ? span.source : 'computed'}` });
    piece.style.flexGrow = String(Math.max(0, span.to - span.from));
    bar.append(piece);
  }
  return bar;
}

/** The same in words: spans, reasons, and what the restoring cost. */
export function ribbonWords(explain: Explain): HTMLElement {
  const list = h('ul', { class: 'ribbon-words' });
  for (const span of explain.spans)
    list.append(h('li', {}, isSource(span.source) ? swatch(span.source) : null, spanWords(span)));
  for (const miss of explain.miss) list.append(h('li', { class: 'why' }, missSentence(miss)));
  if (explain.restored_bytes)
    list.append(h('li', { class: 'why' }, `Restored ${bytes(explain.restored_bytes)} in ${seconds(explain.restore_s ?? 0)}.`));
  if (explain.retention) list.append(h('li', { class: 'why' }, retentionSentence(explain.retention)));
  if (explain.speculative?.drafted) list.append(h('li', { class: 'why' }, draftsSentence(explain.speculative)));
  return list;
}

const spanWords = (span: Explain['spans'][number]): HTMLElement =>
  h('span', { class: 'num' }, `${range(span.from, span.to)} ${span.source === 'computed' ? '' : 'from '}`
    + `${isSource(span.source) ? sourceNames[span.source] : span.source}${inBlocks(span)}`);
