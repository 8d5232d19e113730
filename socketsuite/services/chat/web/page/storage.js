// What outlives a reload of the page: in this tab alone, and never a password.
//
// Where the browser keeps nothing, as in some frames, everything else works.

const KEY = 'socketsuite-chat';

function kept(storage, key) {
  try {
    return JSON.parse(storage().getItem(key));
  } catch {
    return null;
  }
}

function keep(storage, key, value) {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // Nothing is kept, then.
  }
}

const tab = () => globalThis.sessionStorage;
const browser = () => globalThis.localStorage;

// Who one is and where: { nick, rooms: [{ name, key }], current }.
export const keptSession = () => kept(tab, KEY);
export const keepSession = (session) => keep(tab, KEY, session);

// What is typed and not sent, by place.
export const keptDraft = (place) => kept(tab, `${KEY}-draft-${place.key}`) ?? '';
export const keepDraft = (place, text) => keep(tab, `${KEY}-draft-${place.key}`, text || null);

// What is said and not acknowledged, by place.
export function keptWaiting(place) {
  const said = kept(tab, `${KEY}-waiting-${place.key}`);
  return (said ?? []).map((one) => ({
    ...one, state: one.state === 'sending' ? 'lost' : one.state,
  }));
}
export function keepWaiting(place) {
  keep(tab, `${KEY}-waiting-${place.key}`, place.waiting.length ? place.waiting : null);
}

export const keptNotify = () => kept(browser, `${KEY}-notify`) === true;
export const keepNotify = (whether) => keep(browser, `${KEY}-notify`, whether || null);
