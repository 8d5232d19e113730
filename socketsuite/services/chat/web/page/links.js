// Finds the links in what people say.
//
// Text goes in, pieces of text come out, some with an address.  Only http, https and mailto are
// links; whatever is doubtful stays text.  This module must not know the document.

const LONGEST = 2048;

// An address ends at a space, a quote, an angle bracket, what is invisible, and at punctuation
// of scripts that write without spaces.
const CANDIDATE =
  /(?<![\p{L}\p{N}_])(?:https?:\/\/|mailto:)[^\s<>"`\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069。，、；！？（）「」『』【】《》“”«»]+/giu;
const TRAILING = /[.,;:!?'*_~…|\\^]$/u;
const OPENING = { ')': '(', ']': '[', '}': '{' };

// Return the pieces of text: each { text }, and { text, address } for a link.
export function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const shown = trimmed(match[0]);
    const address = safeAddress(shown);
    if (address === null) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: shown, address });
    end = match.index + shown.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

// Leave out what belongs to the sentence: punctuation, and brackets that were opened before.
function trimmed(candidate) {
  let shown = candidate;
  for (;;) {
    const last = shown.at(-1);
    const opening = OPENING[last];
    const unopened = opening && count(shown, last) > count(shown, opening);
    if (!unopened && !TRAILING.test(shown)) return shown;
    shown = shown.slice(0, -1);
  }
}

function count(text, character) {
  return text.split(character).length - 1;
}

// Return the address that text is, or null where it is none that may be followed.
export function safeAddress(text) {
  if (text.length > LONGEST) return null;
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (url.protocol === 'mailto:') return /^[^@\s]+@[^@\s]+$/u.test(url.pathname) ? url.href : null;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  // What stands before an @ reads like the host, and is not.
  return url.hostname && !url.username && !url.password ? url.href : null;
}
