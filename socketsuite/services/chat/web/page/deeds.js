// What slash commands do, each in one function.

import { keyOf } from './nicks.js';
import { helpDialog, goAway, roomsDialog } from './own_dialogs.js';
import { roomDialog } from './room_dialog.js';
import { people } from './words.js';

// Return the functions by the names that commands.js gives; each is given the place and fields.
// What they throw is a refusal, which is shown in the place.
export function deedsOf(chat) {
  const { session, places } = chat;
  const inRoom = (place) => {
    if (place?.kind !== 'room') throw new Error('that is for rooms');
    return place.name;
  };
  const roomOf = (place, name) => (name ? name.replace(/^#/, '') : inRoom(place));
  const tell = (place, text) => places.note(place, 'answer', text);
  return {
    say: (place, { text }) => session.outbox.say(place, text),
    me: (place, { text }) => session.outbox.say(place, text, 'emote'),
    notice: (place, { text }) => session.outbox.say(place, text, 'notice'),
    problem: (place, { text }) => {
      throw new Error(text);
    },
    nick: (_, { nick }) => session.ask('nick', { nick }),
    join: (_, { room, key }) => chat.join(room, key || undefined),
    leave: (place, { room }) => {
      const left = room ? places.room(room) : place;
      if (!left) throw new Error('you are not in that room');
      return chat.leave(left);
    },
    room: (_, { room }) => {
      const other = places.room(room);
      if (!other) throw new Error('you are not in that room; /join it');
      chat.show(other);
    },
    rooms: () => roomsDialog(chat),
    who: async (place, { room }) => {
      const found = (await session.ask('who', { room: roomOf(place, room) })).room;
      const marks = { operator: '@', voice: '+' };
      const names = found.members.map((one) => (marks[one.status] ?? '') + one.nick);
      tell(place, `#${found.name} has ${people(found.people)}: ${names.join(' ')}`);
    },
    whois: (_, { nick }) => chat.person(nick),
    msg: (_, { nick, text }) => {
      const other = places.open('private', nick);
      chat.show(other);
      return session.outbox.say(other, text);
    },
    topic: (place, { text }) => {
      const room = inRoom(place);
      if (text) return session.ask('topic', { room, topic: text === '-' ? '' : text });
      return tell(place, place.topic ? `The topic: ${place.topic}` : 'There is no topic.');
    },
    history: (place) => session.earlier(place).then(() => places.changed('rebuilt', place)),
    away: async (place, { text }) => {
      await goAway(session, places, text);
      tell(place, text ? 'You are away.' : 'You are back.');
    },
    login: (_, { account, password }) => chat.login(account, password),
    help: () => helpDialog(),
    quit: () => chat.quit(),
    kick: (place, { nick, reason }) =>
      session.ask('kick', { room: inRoom(place), nick, reason }),
    rename: (place, { new_room, reason }) =>
      session.ask('rename-room', { room: inRoom(place), new_room, reason }),
    invite: async (place, { nick }) => {
      await session.ask('invite', { room: inRoom(place), nick });
      tell(place, `${nick} is invited.`);
    },
    bans: (place) => {
      inRoom(place);
      if (!places.mayModerate(place)) throw new Error('you are not an operator here');
      roomDialog(place, chat);
    },
    mode: async (place, { mode, on, about }) => {
      const change = about === undefined ? { mode, on } : { mode, on, about };
      const changes = [change];
      const answer = await session.ask('modes', { room: inRoom(place), changes });
      if (mode === 'key') place.password = about;
      if (!answer.changes.length) tell(place, 'That is so already.');
    },
  };
}

// Return the nicks that may be meant in a place: who spoke last first, then everybody.
export function nicksIn(place, me) {
  const found = new Map();
  const speakers = place.timeline.entries.slice(-100).reverse();
  for (const { nick } of speakers) if (nick) found.set(keyOf(nick), nick);
  for (const { nick } of place.members.values()) found.set(keyOf(nick), nick);
  if (place.kind === 'private') found.set(keyOf(place.name), place.name);
  found.delete(keyOf(me));
  return [...found.values()];
}
