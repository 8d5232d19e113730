// Nicks: which are the same, what colour each has, how one is completed, where one is mentioned.

export const COLOURS = 12;

// Return what two spellings of one name have in common: the case of ASCII does not count.
export function keyOf(name) {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

// Return the number of a nick's colour, the same on every machine (FNV-1a).
export function colourOf(nick) {
  let hash = 0x811c9dc5;
  for (const character of keyOf(nick)) {
    hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  }
  return (hash >>> 0) % COLOURS;
}

// Return the first letter of a nick, for its picture.
export function initialOf(nick) {
  const [letter = '?'] = nick.replace(/^[^\p{L}\p{N}]+/u, '') || nick;
  return letter.toLocaleUpperCase();
}

// Return whether *text* names *nick*, as a word of its own.
export function mentions(text, nick) {
  const plain = nick.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}_])${plain}(?![\\p{L}\\p{N}_])`, 'iu').test(text);
}

// Return how the word before *caret* may go on: its place, and each nick that begins like it.
export function completions(text, caret, nicks) {
  const word = /\S*$/u.exec(text.slice(0, caret))[0];
  const wanted = keyOf(word.replace(/^@/, ''));
  if (!wanted) return null;
  const found = nicks.filter((nick) => keyOf(nick).startsWith(wanted)).sort();
  if (!found.length) return null;
  const start = caret - word.length;
  return { start, end: caret, words: found.map((nick) => nick + (start === 0 ? ': ' : ' ')) };
}
