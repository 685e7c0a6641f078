import { tierNames, type Drafts, type Explain, type Miss, type Retention } from '../contract';
import { bytes, count, counted, percent, range, seconds } from '../format';
import { reusedTokens } from './sources';

/** A few words for each reason why tokens were not reused. */
export const reasonNames: Record<string, string> = {
  never_seen: 'never seen',
  evicted: 'evicted',
  diverged: 'diverged',
  other_model: 'other model',
  other_salt: 'other salt',
  load_failed: 'load failed',
  too_late: 'too late',
  below_block_size: 'below block size',
  compute_cheaper: 'cheaper to compute',
  window_gone: 'window gone',
};

const reasonSentences: Record<string, string> = {
  never_seen: 'had not been seen before',
  evicted: 'were cached once and have been evicted since',
  other_model: 'are cached for another model or other settings',
  other_salt: 'are cached for somebody else, and not shared',
  load_failed: 'could not be loaded from their tier',
  too_late: 'would have come too late, so they were computed',
  below_block_size: 'are less than one block',
  compute_cheaper: 'were cheaper to compute than to load',
  window_gone: 'are there but for layers with windows, which kept nothing of what comes before the next tokens',
};

export const reasonName = (reason: string): string => reasonNames[reason] ?? reason.replaceAll('_', ' ');

/** Why tokens were computed, as a sentence. */
export function missSentence(miss: Miss): string {
  if (miss.reason === 'diverged')
    return `Diverged at token ${count(miss.from)}${miss.detail ? `: ${miss.detail}` : ' from what is cached'}. `
      + `${count(miss.to - miss.from)} computed.`;
  const sentence = reasonSentences[miss.reason] ?? `were computed (${reasonName(miss.reason)})`;
  return `Tokens ${range(miss.from, miss.to)} ${sentence}${miss.detail ? `: ${miss.detail}` : ''}.`;
}

/** "1,504 of 1,520 from disk · saved 1.7 s" */
export function badgeText(explain: Explain): string {
  const reused = reusedTokens(explain);
  const total = reused + explain.computed;
  const policy = throughPolicy(explain);
  const through = policy ? ` · through ${policy}` : '';
  if (reused === 0) return `0 of ${count(total)} from the cache · all computed${through}`;
  const saved = explain.saved_s ? ` · saved ${seconds(explain.saved_s)}` : '';
  return `${count(reused)} of ${count(total)} from ${tiersUsed(explain)}${saved}${through}`;
}

/** The policy through which an answer saw less than its prompt, in short; null for an exact answer. */
export const throughPolicy = ({ retention }: Explain): string | null =>
  retention?.positions == null ? null : policyName(retention.policy);

/** "replay:25%,alloc=global,sinks=4 v1" → "replay:25% global" */
export function policyName(policy: string): string {
  const [form, ...modifiers] = policy.split(',');
  const allocation = modifiers.find((modifier) => modifier.startsWith('alloc='))?.slice('alloc='.length);
  return allocation ? `${form} ${allocation}` : form!;
}

/** What came of guesses, as a sentence. */
export const draftsSentence = ({ drafted, accepted }: Drafts): string =>
  `Of the answer's tokens, ${count(drafted)} were guessed ahead and ${count(accepted)} of them right.`;

/** What a policy meant for a prompt, as a sentence. */
export function retentionSentence(retention: Retention): string {
  if (retention.positions == null) return `Exact, and not through ${retention.policy}: ${retention.why_exact ?? 'there was no view'}.`;
  const made = retention.found ? 'a view that was there' : `a view made in ${seconds(retention.profile_s ?? 0)}`;
  const attention = retention.mass == null ? '' : ` and ${percent(retention.mass)} of the attention`;
  const step = retention.step_bytes_saved ? `; a step reads ${bytes(retention.step_bytes_saved)} less` : '';
  return `Not exact: the first ${count(retention.positions)} tokens through ${made}, `
    + `which keeps ${percent(retention.kept_share ?? 0)} of them${attention} by ${retention.policy}${step}.`;
}

function tiersUsed(explain: Explain): string {
  const used = tierNames.filter((tier) => (explain.reused[tier] ?? 0) > 0);
  return used.length < 3 ? used.join(' and ') : 'device, host and disk';
}

/** What a ribbon shows, for those who do not see it. */
export const spansSentence = (explain: Explain): string =>
  explain.spans.length === 0
    ? `${counted(explain.computed, 'token')} computed`
    : explain.spans.map((span) => `tokens ${range(span.from, span.to)} ${span.source === 'computed' ? 'computed' : `from ${span.source}`}`)
      .join(', ');
