// What happens, in words; and times, as people here write them.

const NAMES = {
  'invite-only': ['for invited people only', 'open without an invitation'],
  moderated: ['moderated', 'free to speak in'],
  'members-only': ['closed to words from outside', 'open to words from outside'],
  secret: ['secret', 'listed'],
  'topic-lock': ['one whose topic only operators set', 'one whose topic all set'],
  'no-ctcp': ['free of CTCP', 'open to CTCP'],
};
const DONE = {
  ban: ['banned', 'unbanned'],
  mute: ['muted', 'unmuted'],
  exception: ['excepted from bans', 'no longer excepted from bans'],
  invitation: ['let in without an invitation', 'no longer let in without an invitation'],
};

// What people have chosen stands apart: its direction changes nothing around it (UAX 9, FSI, PDI).
const apart = (text) => `\u2068${text}\u2069`;
const by = (event) => (event.by ? apart(event.by) : "the server's operator");
const reason = (event) => (event.reason ? `: ${apart(event.reason)}` : '');

// Return the sentence for one change of a room's modes.
export function changed(nick, change) {
  const who = nick ? apart(nick) : "The server's operator";
  const { mode, on } = change;
  const about = apart(change.about);
  if (NAMES[mode]) return `${who} made the room ${NAMES[mode][on ? 0 : 1]}`;
  if (DONE[mode]) return `${about} was ${DONE[mode][on ? 0 : 1]} by ${who}`;
  if (mode === 'operator') {
    return on ? `${who} made ${about} an operator` : `${about} is no operator any more, by ${who}`;
  }
  if (mode === 'voice') return `${who} ${on ? `gave ${about} a voice` : `took ${about}'s voice`}`;
  if (mode === 'key') return `${who} ${on ? 'set a key' : 'removed the key'}`;
  if (mode === 'limit') return `${who} ${on ? `set the limit to ${about}` : 'removed the limit'}`;
  return `${who} ${on ? 'set' : 'unset'} ${mode}`;
}

const EVENTS = {
  joined: (event) => `${apart(event.nick)} joined`,
  left: (event) => `${apart(event.nick)} left${reason(event)}`,
  quit: (event) => `${apart(event.nick)} is gone${reason(event)}`,
  kicked: (event) => `${apart(event.nick)} was kicked by ${by(event)}${reason(event)}`,
  renamed: (event) => `${apart(event.nick)} is now ${apart(event.new_nick)}`,
  'room-renamed': (event) =>
    `${by(event)} renamed the room to ${apart(`#${event.new_room}`)}${reason(event)}`,
  topic: (event) =>
    event.topic ? `${by(event)} set the topic: ${apart(event.topic)}` : `${by(event)} removed the topic`,
  away: (event) =>
    event.message === null
      ? `${apart(event.nick)} is back`
      : `${apart(event.nick)} is away: ${apart(event.message)}`,
};

// Return the sentence for an event.
export function told(event) {
  return EVENTS[event.type](event);
}

export function people(count) {
  return count === 1 ? '1 person' : `${count} people`;
}

// Return a refusal as a sentence.
export function refusal(error) {
  if (error.lost) return 'The connection was lost before the server answered.';
  return sentence(error.message);
}

// Return words of the server as a sentence.
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(begun) ? begun : `${begun}.`;
}

// ── times ──

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, {
  weekday: 'long', year: 'numeric', month: 'long', day: 'numeric',
});
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export const clock = (time) => CLOCK.format(time);
export const wholeTime = (time) => WHOLE.format(time);

export function isSameDay(one, other) {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

// Return the day of *time*, in words where it is near.
export function day(time, now = Date.now()) {
  if (isSameDay(time, now)) return 'Today';
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  return isSameDay(time, yesterday) ? 'Yesterday' : DAY.format(time);
}
