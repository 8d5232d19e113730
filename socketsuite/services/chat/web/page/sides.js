// Both sides of the conversation: the rooms one is in, and the people of the room.

import { button, eachFrame, element, icon, iconButton, keepFocus, nick } from './elements.js';
import { colourOf, initialOf, keyOf } from './nicks.js';
import { people as peopleWords } from './words.js';

const MOST_SHOWN = 1000;
const ORDER = new Intl.Collator();

// The list of rooms and conversations.
export class Rooms {
  // *on*: show(place), leave(place).
  constructor(box, places, on) {
    this.box = box;
    this.places = places;
    this.on = on;
    this.draw = eachFrame(() => keepFocus(box, 'place', '.place', () => this.#draw()));
  }

  #draw() {
    const all = [...this.places.all.values()];
    const parts = [['room', 'Rooms'], ['private', 'Private']].map(([kind, title]) => {
      const ones = all.filter((place) => place.kind === kind);
      if (!ones.length) return null;
      const list = element('ul', {}, ...ones.map((place) => this.#item(place)));
      return element('section', {}, element('h2', {}, title), list);
    });
    this.box.replaceChildren(...parts.filter(Boolean));
  }

  #item(place) {
    const current = place === this.places.current;
    const classes = ['place', place.unread && 'unread', !place.inside && 'outside'];
    const open = element('button', {
      type: 'button',
      class: classes.filter(Boolean).join(' '),
      'aria-current': current ? 'true' : null,
      on: { click: () => this.on.show(place) },
    });
    if (place.kind === 'room') open.append(icon('room'));
    else open.append(face(place.name));
    open.append(element('span', { class: 'title' }, nick(place.name)));
    if (place.unread) open.append(badge(place));
    const leave = iconButton('close', `Leave ${place.title}`, () => this.on.leave(place), {
      class: 'icon-button leave',
    });
    return element('li', { 'data-place': place.key, class: current ? 'current' : '' }, open, leave);
  }
}

function badge(place) {
  const count = place.mentioned || place.unread;
  const words = place.mentioned ? 'unread that mention you' : 'unread';
  return element(
    'span',
    { class: place.mentioned ? 'count mentioned' : 'count' },
    count > 99 ? '99+' : String(count),
    element('span', { class: 'unseen' }, ` ${words}`),
  );
}

export function face(name) {
  const given = { class: `picture small nick-${colourOf(name)}`, 'aria-hidden': 'true' };
  return element('span', given, initialOf(name));
}

const GROUPS = [
  ['operator', 'Operators'],
  ['voice', 'With voice'],
  [null, 'People'],
];

// The list of who is in the room.
export class People {
  // *on*: person(member).
  constructor(box, places, on) {
    this.box = box;
    this.places = places;
    this.on = on;
    this.draw = eachFrame(() => keepFocus(box, 'person', '.person', () => this.#draw()));
  }

  #draw() {
    const place = this.places.current;
    if (place?.kind !== 'room') return this.box.replaceChildren();
    const everybody = [...place.members.values()];
    const parts = GROUPS.map(([status, title]) => {
      const ones = everybody.filter((one) => (one.status ?? null) === status);
      if (!ones.length) return null;
      ones.sort((one, other) => ORDER.compare(one.nick, other.nick));
      return element(
        'section',
        {},
        element('h3', {}, `${title} `, element('span', { class: 'number' }, String(ones.length))),
        element('ul', {}, ...ones.slice(0, MOST_SHOWN).map((one) => this.#item(one))),
      );
    });
    const more = place.people - everybody.length;
    const rest = more > 0 ? element('p', { class: 'note' }, `and ${peopleWords(more)} more`) : null;
    return this.box.replaceChildren(...parts.filter(Boolean), ...(rest ? [rest] : []));
  }

  #item(member) {
    const away = member.away !== null && member.away !== undefined;
    const words = element('span', { class: 'title' }, nick(member.nick));
    if (this.places.isMe(member.nick)) words.append(element('small', {}, ' (you)'));
    const state = away ? element('small', { class: 'away', dir: 'auto' }, awayWords(member)) : null;
    const given = { class: away ? 'person is-away' : 'person' };
    const open = button(face(member.nick), () => this.on.person(member.nick), given);
    words.append(...(state ? [state] : []));
    open.append(words);
    return element('li', { 'data-person': keyOf(member.nick) }, open);
  }
}

function awayWords(member) {
  return member.away ? `away: ${member.away}` : 'away';
}
