// Plausible users: agents with long system prompts, conversations that grow, questions about the same document.

const words = ('Solveig Helga Rolf Astrid Gunnar Leif the painter weaver smith went out to a great hall river meadow and saw green red '
  + 'blue bell kite cup boat dog cat goose loved it very much one day was gone asked everybody who had seen nobody knew but under old '
  + 'bridge there lay still warm sun smelled sweet grass stood').split(' ');

export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function* prompts(random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const prose = (length) => Array.from({ length }, () => pick(words)).join(' ');
  const systems = [900, 340, 120].map((length) => `system: ${prose(length)}.\n`);
  const documents = [700, 420].map((length) => `document: ${prose(length)}.\n`);
  let conversations = [];
  for (;;) {
    const kind = random();
    if (kind < 0.3) yield `${pick(documents)}user: How many ${pick(words)} does ${pick(words)} have?\n`;
    else if (kind < 0.42) yield `user: ${prose(20 + Math.floor(random() * 120))}\n`;
    else if (kind < 0.6 || conversations.length === 0) {
      conversations = [...conversations.slice(-6), pick(systems)];
      yield (conversations[conversations.length - 1] += `user: ${prose(18)}\n`);
    } else {
      const at = Math.floor(random() * conversations.length);
      if (random() < 0.4) conversations.push(conversations[at]); // somebody edits a question: two ways on from here
      if (conversations.length > 8) conversations.shift();
      yield (conversations[at] += `assistant: ${prose(30 + Math.floor(random() * 60))}\nuser: ${prose(12)}\n`);
    }
  }
}

/** An answer in the language of the embedded model, token by token. */
export function answer(random, length) {
  const pieces = Array.from({ length }, () => words[Math.floor(random() * words.length)]);
  return pieces.map((word, at) => (at === 0 ? word : ` ${word}`)).concat('.');
}
