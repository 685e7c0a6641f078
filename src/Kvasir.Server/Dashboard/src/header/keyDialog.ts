import { currentKey, keyEvents, setKey } from '../connection/key';
import { byId, setText } from '../dom';

/** Asks for the API key when the server wants one, or when somebody wants to change it. */
export function wireKeyDialog(): void {
  const dialog = byId<HTMLDialogElement>('key-dialog');
  const input = byId<HTMLInputElement>('key-input');
  const open = (reason: string) => {
    setText(byId('key-reason'), reason);
    if (!dialog.open) dialog.showModal();
  };
  keyEvents.addEventListener('wanted', () =>
    open(currentKey() ? 'The server does not accept this key.' : 'The server asks for an API key.'));
  byId('key-open').addEventListener('click', () => open('The key is kept until this tab is closed, and sent only to this server.'));
  byId('key-cancel').addEventListener('click', () => dialog.close());
  byId('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    dialog.close();
    setKey(input.value.trim());
    input.value = '';
  });
}
