// The rooms that one is in, and the conversations with one person: people, topics, what was said.
//
// Events of the server go in; views are told what has changed.  This module must not know the
// document, nor how events arrive.

import { keyOf, mentions } from './nicks.js';
import { Timeline } from './timeline.js';
import * as words from './words.js';

const MOST_PRIVATE = 100; // conversations; strangers can begin as many as they have nicks

export class Place {
  constructor(kind, name) {
    this.kind = kind; // room, or private
    this.name = name;
    this.key = placeKey(kind, name);
    this.inside = kind === 'private';
    this.topic = '';
    this.modes = new Set();
    this.limit = null;
    this.locked = false; // by a key, as far as one was told
    this.password = undefined;
    this.people = 0;
    this.members = new Map();
    this.timeline = new Timeline();
    this.waiting = []; // what one has said that is not acknowledged
    this.unread = 0;
    this.mentioned = 0;
    this.firstUnread = null;
    this.shut = ''; // why one is not inside any more
  }

  get title() {
    return this.kind === 'room' ? `#${this.name}` : this.name;
  }

  // Take over a room's state, as the server tells it.
  setState(state) {
    this.name = state.name;
    this.people = state.people;
    this.topic = state.topic;
    this.modes = new Set(state.modes);
    this.limit = state.limit;
    this.members = new Map(state.members.map((one) => [keyOf(one.nick), one]));
  }
}

export function placeKey(kind, name) {
  return (kind === 'room' ? '#' : '@') + keyOf(name);
}

export class Places {
  // *changed(what, place, more)* is told of changes; *what* is list, people, entries, entry,
  // heard, topic, me.
  constructor(changed) {
    this.changed = changed;
    this.all = new Map();
    this.me = { nick: '', account: null, operator: false, away: null };
    this.current = null;
  }

  room(name) {
    return this.all.get(placeKey('room', name.replace(/^#/, '')));
  }

  isMe(nick) {
    return keyOf(nick) === keyOf(this.me.nick);
  }

  // Return the place, made where there is none.
  open(kind, name) {
    const key = placeKey(kind, name);
    if (!this.all.has(key)) {
      if (kind === 'private') this.#closeOldest();
      this.all.set(key, new Place(kind, name));
      this.changed('list');
    }
    return this.all.get(key);
  }

  #closeOldest() {
    const all = [...this.all.values()].filter((place) => place.kind === 'private');
    const oldest = all.find((place) => place !== this.current);
    if (all.length >= MOST_PRIVATE) this.close(oldest);
  }

  close(place) {
    this.all.delete(place.key);
    if (this.current === place) this.show([...this.all.values()].at(-1) ?? null);
    this.changed('list');
  }

  show(place) {
    this.current = place;
    this.changed('shown', place);
  }

  read(place) {
    if (!place.unread) return;
    place.unread = place.mentioned = 0;
    this.changed('list');
  }

  mayModerate(place) {
    const mine = place.members.get(keyOf(this.me.nick));
    return place.kind === 'room' && (this.me.operator || mine?.status === 'operator');
  }

  // Whether one may take back a message: one's own, or any as an operator.
  mayRedact(place, entry) {
    return place.kind === 'room' && place.inside && (entry.own || this.mayModerate(place));
  }

  // ── what the server tells ──

  hear(event) {
    this.#hears[event.type]?.(event);
  }

  #hears = {
    message: (event) => this.#message(event),
    joined: (event) => {
      const place = this.room(event.room);
      if (!place || this.isMe(event.nick)) return;
      const member = { nick: event.nick, account: event.account, status: null, away: null };
      if (!place.members.has(keyOf(event.nick))) place.people += 1;
      place.members.set(keyOf(event.nick), member);
      this.#happened(place, 'presence', event);
    },
    left: (event) => this.#gone(this.room(event.room), event),
    kicked: (event) => {
      const place = this.room(event.room);
      this.#gone(place, event, 'event');
      if (place && this.isMe(event.nick)) this.#shut(place, words.told(event));
    },
    quit: (event) => {
      for (const place of this.#with(event.nick)) this.#gone(place, event);
    },
    renamed: (event) => this.#renamed(event),
    'room-renamed': (event) => {
      const place = this.room(event.room);
      if (!place) return;
      this.#moved(place, event.new_room);
      this.note(place, 'event', words.told(event));
      this.changed('topic', place);
    },
    topic: (event) => {
      const place = this.room(event.room);
      if (!place) return;
      place.topic = event.topic;
      this.#happened(place, 'event', event);
      this.changed('topic', place);
    },
    modes: (event) => this.#modes(event),
    away: (event) => {
      for (const place of this.#with(event.nick)) {
        const member = place.members.get(keyOf(event.nick));
        if (member) member.away = event.message;
        if (place.kind === 'private') this.#happened(place, 'presence', event);
        this.changed('people', place);
      }
    },
    account: (event) => {
      if (this.isMe(event.nick)) {
        this.me.account = event.account;
        this.changed('me');
      }
      for (const place of this.#with(event.nick)) {
        const member = place.members.get(keyOf(event.nick));
        if (member) member.account = event.account;
        this.changed('people', place);
      }
    },
    redacted: (event) => {
      const place = this.room(event.room);
      const entry = place?.timeline.redact(event.id, event.by, event.reason);
      if (entry) this.changed('entry', place, entry);
    },
  };

  #message(event) {
    const own = this.isMe(event.nick);
    const place = event.room
      ? this.room(event.room)
      : this.open('private', own ? event.to : event.nick);
    if (!place) return;
    const named = mentions(event.text, this.me.nick);
    const fresh = place.timeline.append([{ ...event, own, named: named && !own }]);
    if (!fresh.length) return;
    this.changed('entries', place, fresh);
    if (!own) this.changed('heard', place, fresh[0]);
  }

  // Note that a message was heard while its place was not looked at.
  count(place, entry) {
    if (!place.unread) place.firstUnread = entry.key;
    place.unread += 1;
    if (entry.named || place.kind === 'private') place.mentioned += 1;
    this.changed('list');
  }

  #gone(place, event, sort = 'presence') {
    if (!place) return;
    if (place.members.delete(keyOf(event.nick))) place.people -= 1;
    this.#happened(place, sort, event);
  }

  #shut(place, why) {
    place.inside = false;
    place.shut = why;
    place.members.clear();
    this.changed('shut', place);
  }

  #renamed(event) {
    const [before, after] = [keyOf(event.nick), keyOf(event.new_nick)];
    const places = this.#with(event.nick);
    if (this.isMe(event.nick)) {
      this.me.nick = event.new_nick;
      this.me.chosen = true;
      this.changed('me');
    }
    for (const place of places) {
      const member = place.members.get(before);
      if (member) {
        place.members.delete(before);
        place.members.set(after, { ...member, nick: event.new_nick });
      }
      if (place.kind === 'private' && place.key === placeKey('private', event.nick)) {
        this.#moved(place, event.new_nick);
        this.changed('topic', place);
      }
      this.#happened(place, 'event', event);
    }
    this.changed('list');
  }

  // Have a place go by another name, where it stands among the others.
  #moved(place, name) {
    const all = [...this.all.values()];
    place.name = name;
    place.key = placeKey(place.kind, name);
    this.all = new Map(all.map((one) => [one.key, one]));
  }

  #modes(event) {
    const place = this.room(event.room);
    if (!place) return;
    for (const change of event.changes) {
      this.#mode(place, change);
      this.note(place, 'event', words.changed(event.by, change));
    }
    this.changed('people', place);
    this.changed('topic', place);
  }

  #mode(place, { mode, on, about }) {
    if (mode === 'operator' || mode === 'voice') {
      const member = place.members.get(keyOf(about));
      if (member && on && member.status !== 'operator') member.status = mode;
      else if (member && !on && member.status === mode) member.status = null;
    } else if (mode === 'limit') {
      place.limit = on ? Number(about) : null;
    } else if (mode === 'key') {
      place.locked = on;
    } else if (about === null) {
      place.modes[on ? 'add' : 'delete'](mode);
    }
  }

  // ── notes ──

  #with(nick) {
    const key = keyOf(nick);
    const conversation = placeKey('private', nick);
    return [...this.all.values()].filter(
      (place) => place.members.has(key) || place.key === conversation,
    );
  }

  #happened(place, sort, event) {
    this.note(place, sort, words.told(event));
    this.changed('people', place);
  }

  // Add a line about what happened, or what was refused.
  note(place, sort, text) {
    const { entry, grown } = place.timeline.note(sort, text, Date.now());
    this.changed(grown ? 'entry' : 'entries', place, grown ? entry : [entry]);
  }
}
