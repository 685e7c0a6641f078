import type { TierName } from '../contract';
import { byId, setText } from '../dom';

/** Asks before anything is thrown away. Null when the answer is no. */
export function confirmEvict(title: string, what: string, tierChoice: boolean): Promise<{ tier: TierName | '' } | null> {
  const dialog = byId<HTMLDialogElement>('evict-dialog');
  const tier = byId<HTMLSelectElement>('evict-tier');
  setText(byId('evict-title'), title);
  setText(byId('evict-what'), `${what} Leased and pinned blocks stay. Evicted tokens are computed again when they are next needed.`);
  byId('evict-tier-row').hidden = !tierChoice;
  tier.value = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'evict' ? { tier: tier.value as TierName | '' } : null),
      { once: true }));
}

/** The buttons close the dialog by script: a form's submission would need an exception in the content security policy. */
export function wireEvictDialog(): void {
  const dialog = byId<HTMLDialogElement>('evict-dialog');
  byId('evict-cancel').addEventListener('click', () => dialog.close(''));
  byId('evict-confirm').addEventListener('click', () => dialog.close('evict'));
}
