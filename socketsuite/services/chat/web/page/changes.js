// What is shown anew when something has changed.

import { button, element, nick } from './elements.js';
import { linked } from './entry.js';
import { titled } from './notices.js';
import { face } from './sides.js';
import * as storage from './storage.js';
import { people } from './words.js';

const byId = (id) => document.getElementById(id);

// Return what to do at each change that places tell of, by its name.
export function changesOf(chat) {
  const { places } = chat;
  const isCurrent = (place) => place === places.current;
  // Not in a frame: a window that nobody sees has none, and its title tells what is unread.
  const told = afterwards(() => {
    titled(places, chat.session.entered && !chat.session.ready);
    showUnread(places);
    keep(chat);
  });
  window.addEventListener('pagehide', () => keep(chat));
  const list = () => {
    chat.rooms.draw();
    told();
  };
  const atCurrent = (work) => (place, more) => isCurrent(place) && work(place, more);
  return {
    list,
    me: () => showMe(places.me),
    people: atCurrent((place) => {
      showPeople(place);
      chat.people.draw();
    }),
    topic: (place) => {
      if (isCurrent(place)) showTitle(place);
      list();
    },
    entries: atCurrent((place, entries) => chat.transcript.append(entries)),
    entry: atCurrent((place, entry) => chat.transcript.replace(entry)),
    rebuilt: atCurrent(() => chat.transcript.rebuild()),
    waiting: (place) => {
      storage.keepWaiting(place);
      if (isCurrent(place)) chat.transcript.waiting();
      const last = place.waiting.at(-1);
      if (last && last.state !== 'sending') chat.speaker.say(`Not sent. ${last.why ?? ''}`);
    },
    heard: (place, entry) => heard(chat, place, entry),
    missed: (place, entry) => {
      if (!isCurrent(place)) places.count(place, entry);
    },
    joined: (place) => {
      place.waiting.push(...storage.keptWaiting(place).filter(
        (kept) => !place.waiting.some((said) => said.time === kept.time),
      ));
      if (isCurrent(place)) {
        showPlace(chat, place);
        chat.transcript.rebuild();
        chat.transcript.waiting();
        if (chat.transcript.atEnd) chat.transcript.toEnd();
      }
      list();
    },
    shut: (place) => {
      if (isCurrent(place)) showPlace(chat, place);
      list();
    },
    shown: (place) => {
      byId('app').classList.toggle('nowhere', !place);
      if (place) {
        showPlace(chat, place);
        chat.composer.text = storage.keptDraft(place);
      }
      chat.transcript.show(place);
      if (place) chat.seen();
      list();
    },
  };
}

// Return what does *work* once within a moment, however often it is called.
function afterwards(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      work();
    }, 50);
  };
}

// Somebody else has said something: count it, say it, notify of it.
function heard(chat, place, entry) {
  const { places, speaker } = chat;
  const seen = place === places.current && !document.hidden && chat.transcript.atEnd;
  if (!seen) places.count(place, entry);
  if (place === places.current) {
    speaker.say(entry.style === 'emote' ? `${entry.nick} ${entry.text}` : `${entry.nick}: ${entry.text}`);
  } else if (entry.named || place.kind === 'private') {
    const where = place.kind === 'private' ? 'wrote to you' : `mentioned you in ${place.title}`;
    speaker.say(`${entry.nick} ${where}`);
  }
  if (entry.named || place.kind === 'private') chat.notifications.tell(place, entry);
}

function keep({ places, session }) {
  if (!session.entered) return;
  const rooms = [...places.all.values()]
    .filter((place) => place.kind === 'room' && place.inside)
    .map((place) => ({ name: place.name, key: place.password }));
  const { me } = places;
  storage.keepSession({ nick: me.chosen ? me.nick : '', rooms, current: places.current?.key });
}

// Where the rooms are hidden, the button that shows them tells that something is unread there.
function showUnread(places) {
  const unread = [...places.all.values()].filter((place) => place.unread).length;
  byId('show-rooms').classList.toggle('has-unread', unread > 0);
  const words = unread ? `Show the rooms, ${unread} with something unread` : 'Show the rooms';
  byId('show-rooms').setAttribute('aria-label', words);
}

function showMe(me) {
  const state = me.away ? `away: ${me.away}` : me.account ? `logged in as ${me.account}` : '';
  const words = element('span', { class: 'title' }, nick(me.nick));
  if (state) words.append(element('small', { dir: 'auto' }, state));
  byId('me').replaceChildren(face(me.nick), words);
}

function showPlace(chat, place) {
  showTitle(place);
  showPeople(place);
  chat.people.draw();
  const shut = byId('shut');
  shut.hidden = place.inside;
  if (place.inside) return;
  const again = button('Come in again', () => chat.join(place.name).catch(chat.problem), {
    class: 'small',
  });
  shut.replaceChildren(`You are not in ${place.title} any more. ${place.shut} `, again);
}

function showTitle(place) {
  byId('room-title').replaceChildren(place.kind === 'room' ? '#' : '', nick(place.name));
  const topic = place.kind === 'room' ? place.topic : 'in private';
  byId('topic').replaceChildren(...linked(topic));
  byId('topic').title = topic;
  byId('transcript').setAttribute('aria-label', `Messages in ${place.title}`);
  const field = byId('say');
  field.placeholder = `Write to ${place.title}`;
  field.setAttribute('aria-label', `Write to ${place.title}`);
}

function showPeople(place) {
  const room = place.kind === 'room';
  byId('app').classList.toggle('alone', !room);
  byId('count').textContent = String(place.people);
  byId('show-people').setAttribute('aria-label', `${people(place.people)}, show them`);
}
