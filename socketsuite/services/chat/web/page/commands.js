// Slash commands: the same as on the line frontend.  A line goes in, what is wanted comes out.
//
// This module must not know how anything is done.

const nothing = () => ({});
const needsNothing = (rest) => (rest ? null : {});
const text = (rest) => (rest ? { text: rest } : null);
const optionalText = (rest) => ({ text: rest });
const oneWord = (name) => (rest) => (rest && !/\s/.test(rest) ? { [name]: rest } : null);
const optionalWord = (name) => (rest) => (/\s/.test(rest) ? null : { [name]: rest });
const wordAndText = (name, more, needed) => (rest) => {
  const [, word, behind] = /^(\S*)\s*(.*)$/su.exec(rest);
  return word && (behind || !needed) ? { [name]: word, [more]: behind } : null;
};
const onOrOff = (mode) => (rest) =>
  rest === 'on' || rest === 'off' ? { mode, on: rest === 'on' } : null;
const change = (mode, on, parse = oneWord('about')) => (rest) => {
  const parsed = parse(rest);
  return parsed && { mode, on, ...parsed };
};
const settable = (mode) => (rest) =>
  /\s/.test(rest) ? null : rest ? { mode, on: true, about: rest } : { mode, on: false };

// By name: what comes after it, what it does, and how that is read; *does* where it is another's.
export const COMMANDS = {
  nick: ['NICK', 'be called NICK', oneWord('nick')],
  join: ['ROOM [KEY]', 'come into ROOM', wordAndText('room', 'key', false)],
  leave: ['[ROOM]', 'go out of the room', optionalWord('room')],
  room: ['ROOM', 'show another of your rooms', oneWord('room')],
  rooms: ['', 'list the rooms', needsNothing],
  who: ['[ROOM]', 'list who is in the room', optionalWord('room')],
  whois: ['NICK', 'tell who somebody is', oneWord('nick')],
  msg: ['NICK TEXT', 'say TEXT to NICK alone', wordAndText('nick', 'text', true)],
  me: ['TEXT', 'say what you do', text],
  notice: ['TEXT', 'say TEXT as a notice', text],
  topic: ['[TEXT]', "show the room's topic, or set it; - is none", optionalText],
  history: ['', 'load earlier messages', nothing],
  away: ['[TEXT]', 'be away; without a text, be back', optionalText],
  login: ['[NAME [PASSWORD]]', 'log in; the password is asked for if none is given', login],
  help: ['', 'list the commands and keys', nothing],
  quit: ['[TEXT]', 'leave the chat', optionalText],
  kick: ['NICK [REASON]', 'put NICK out of the room', wordAndText('nick', 'reason', false)],
  ban: ['MASK', 'keep out who has that nick or address', change('ban', true), 'mode'],
  unban: ['MASK', 'do not keep out any more', change('ban', false), 'mode'],
  bans: ['', 'who is banned, and who muted', needsNothing],
  mute: ['MASK', 'have a nick or mask not speak', change('mute', true), 'mode'],
  unmute: ['MASK', 'have it speak again', change('mute', false), 'mode'],
  voice: ['NICK', 'have NICK speak in a moderated room', change('voice', true), 'mode'],
  unvoice: ['NICK', 'not any more', change('voice', false), 'mode'],
  op: ['NICK', 'make NICK an operator of the room', change('operator', true), 'mode'],
  deop: ['NICK', 'not any more', change('operator', false), 'mode'],
  rename: ['NAME [REASON]', 'give the room another name', wordAndText('new_room', 'reason', false)],
  invite: ['NICK', 'let NICK in once', oneWord('nick')],
  key: ['[KEY]', 'let in only who knows KEY; without one, everybody', settable('key'), 'mode'],
  limit: ['[N]', 'let in at most N people', settable('limit'), 'mode'],
  lock: ['', 'let only operators set the topic', change('topic-lock', true, needsNothing), 'mode'],
  unlock: ['', 'let all set the topic', change('topic-lock', false, needsNothing), 'mode'],
  moderated: ['on|off', 'let only operators and voices speak', onOrOff('moderated'), 'mode'],
  'invite-only': ['on|off', 'let in only who is invited', onOrOff('invite-only'), 'mode'],
};

function login(rest) {
  const [, account, password] = /^(\S*) ?(.*)$/su.exec(rest);
  return { account, password };
}

// Return what a line asks for: { name, … }, or { name: 'problem', text }.
export function parsed(line) {
  if (!line.startsWith('/')) return { name: 'say', text: line };
  if (line.startsWith('//')) return { name: 'say', text: line.slice(1) };
  const [, word, rest] = /^\/(\S*)\s*(.*?)\s*$/su.exec(line);
  const name = word.toLowerCase();
  if (!Object.hasOwn(COMMANDS, name)) return { name: 'problem', text: unknown(name) };
  const [usage, , read, does = name] = COMMANDS[name];
  const fields = read(rest);
  if (fields === null) return { name: 'problem', text: `usage: /${name} ${usage}`.trim() };
  return { name: does, ...fields };
}

// Return whether a line must not be kept anywhere: it may hold a password.
export function isSecret(line) {
  return /^\/(login|key|join\s+\S+\s)/i.test(line);
}

function unknown(name) {
  const near = Object.keys(COMMANDS)
    .map((known) => [distance(name.slice(0, 20), known), known])
    .sort(([one], [other]) => one - other)[0];
  const cure = near[0] <= 2 ? `did you mean /${near[1]}?` : '/help lists them.';
  return `there is no command /${name.slice(0, 20)}: ${cure} A text begins with //`;
}

// Return how many letters have to be changed, added or left out.
function distance(one, other) {
  let row = [...other, ''].map((_, place) => place);
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1];
    for (const [j, its] of [...other].entries()) {
      next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + (letter === its ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1);
}
