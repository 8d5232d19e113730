// What a room is like: its topic, who may come in and speak; for its operators, to be changed.

import { attempt, dialog, form } from './dialogs.js';
import { button, element, field, switchField } from './elements.js';
import { wholeTime } from './words.js';

const SWITCHES = [
  ['moderated', 'Moderated', 'only operators and those with voice speak'],
  ['invite-only', 'Invited people only', ''],
  ['topic-lock', 'Topic is locked', 'only operators set it'],
  ['secret', 'Secret', 'not in the list of rooms'],
  ['members-only', 'No words from outside', ''],
];
const LISTS = {
  ban: 'banned',
  mute: 'muted',
  exception: 'excepted from bans',
  invitation: 'needs no invitation',
};

export function roomDialog(place, { session, places, leave }) {
  const moderates = places.mayModerate(place);
  return dialog(place.title, (handle) => [
    topicForm(handle, place, session, moderates || !place.modes.has('topic-lock')),
    moderates ? settings(handle, place, session) : readOnly(place),
    moderates ? renameForm(handle, place, session) : null,
    !place.modes.has('invite-only') || moderates ? inviteForm(handle, place, session) : null,
    moderates ? lists(handle, place, session) : null,
    element('p', { class: 'actions' }, button('Leave this room', () => {
      handle.close();
      leave(place);
    }, { class: 'danger quiet' })),
  ]);
}

function topicForm(handle, place, session, may) {
  if (!may) {
    const text = place.topic || 'There is no topic.';
    return element('section', {}, element('h3', {}, 'Topic'), element('p', { dir: 'auto' }, text));
  }
  const topic = field('Topic', { value: place.topic, maxlength: 390, dir: 'auto' });
  const work = () => session.ask('topic', { room: place.name, topic: topic.input.value });
  return form(handle, [topic.made], 'Set', work, { stay: true });
}

function readOnly(place) {
  const set = SWITCHES.filter(([mode]) => place.modes.has(mode)).map(([, label]) => label);
  if (place.limit) set.push(`At most ${place.limit} people`);
  const items = set.map((label) => element('li', {}, label));
  return items.length ? element('section', {}, element('h3', {}, 'Rules'), element('ul', {}, ...items)) : null;
}

function settings(handle, place, session) {
  const change = (...changes) => session.ask('modes', { room: place.name, changes });
  const switches = SWITCHES.map(([mode, label, hint]) => {
    const turn = async (on, input) => {
      if (!(await attempt(handle, () => change({ mode, on })))) input.checked = !on;
    };
    return switchField(label, place.modes.has(mode), turn, hint).made;
  });
  const limit = field('At most so many people', {
    type: 'number', min: 1, value: place.limit ?? '', inputmode: 'numeric',
  }, 'Empty is any number.');
  const key = field('Key', { autocomplete: 'off', maxlength: 64, spellcheck: 'false' },
    'Only who knows it may come in. Empty is none; it is not shown again.');
  const setLimit = () => {
    const about = limit.input.value;
    return change(about ? { mode: 'limit', on: true, about } : { mode: 'limit', on: false });
  };
  const setKey = async () => {
    const about = key.input.value;
    await change(about ? { mode: 'key', on: true, about } : { mode: 'key', on: false });
    place.password = about || undefined;
  };
  return element(
    'section',
    {},
    element('h3', {}, 'Rules'),
    ...switches,
    form(handle, [limit.made], 'Set', setLimit, { stay: true }),
    form(handle, [key.made], 'Set', setKey, { stay: true }),
  );
}

function renameForm(handle, place, session) {
  const name = field('Another name', { required: true, maxlength: 65, autocomplete: 'off' });
  const made = form(handle, [name.made], 'Rename', () =>
    session.ask('rename-room', { room: place.name, new_room: name.input.value }));
  return element('details', {}, element('summary', {}, 'Rename the room …'), made);
}

function inviteForm(handle, place, session) {
  const who = field('Nick', { required: true, maxlength: 64, autocomplete: 'off' });
  const work = async () => {
    await session.ask('invite', { room: place.name, nick: who.input.value });
    who.input.value = '';
  };
  const made = form(handle, [who.made], 'Invite', work, { stay: true });
  return element('details', {}, element('summary', {}, 'Invite somebody …'), made);
}

function lists(handle, place, session) {
  const box = element('div', {}, element('p', {}, '…'));
  const draw = async () => {
    const { entries } = await session.ask('lists', { room: place.name });
    const items = entries.map((entry) => {
      const lift = button('Lift', () => attempt(handle, async () => {
        const { mode, about } = entry;
        await session.ask('modes', { room: place.name, changes: [{ mode, on: false, about }] });
        await draw();
      }), { class: 'small', 'aria-label': `Lift: ${entry.about} is ${LISTS[entry.mode]}` });
      const who = element('span', { title: `by ${entry.by}, ${wholeTime(entry.time)}` },
        element('bdi', { class: 'mask' }, entry.about), ` is ${LISTS[entry.mode]}`);
      return element('li', {}, who, lift);
    });
    box.replaceChildren(
      items.length ? element('ul', { class: 'listed' }, ...items) : element('p', {}, 'Nobody.'),
    );
  };
  draw().catch(handle.problem);
  return element('section', { class: 'lists' }, element('h3', {}, 'Banned and muted'), box);
}
