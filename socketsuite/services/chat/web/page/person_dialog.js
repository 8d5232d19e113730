// The card of one person: who that is, and what one may do about it.

import { attempt, dialog, form } from './dialogs.js';
import { button, element, field, nick } from './elements.js';
import { face } from './sides.js';
import { keyOf } from './nicks.js';
import { wholeTime } from './words.js';

// Show the card of *name*.  *actions*: ask, message(nick), may moderate the place.
export function personDialog(name, place, { session, places, message }) {
  const room = place?.kind === 'room' ? place : null;
  const me = places.isMe(name);
  const moderates = room && places.mayModerate(room);
  return dialog(name, (handle) => {
    const facts = element('dl', { class: 'facts' });
    session.ask('whois', { nick: name }).then(
      (who) => facts.replaceChildren(...factsOf(who)),
      (error) => handle.problem(error),
    );
    const talk = button('Message', () => {
      handle.close();
      message(name);
    }, { class: 'primary' });
    const member = room?.members.get(keyOf(name));
    const rest = moderates && member ? moderation(handle, member, room, session, me) : [];
    return [
      element('p', { class: 'who' }, face(name), nick(name)),
      facts,
      me ? null : element('p', { class: 'actions start' }, talk),
      ...rest,
    ];
  }, { classes: 'card' });
}

function factsOf(who) {
  const facts = [
    ['Account', who.account ?? 'not logged in'],
    ['Away', who.away],
    ['Here since', wholeTime(who.since)],
    ['Comes by', { lines: 'plain lines', irc: 'IRC', web: 'the web' }[who.frontend] ?? who.frontend],
    ['In', who.rooms.map((room) => `#${room}`).join(', ')],
    ['Operator', who.operator ? 'of the whole server' : null],
    ['Address', who.mask],
  ];
  return facts
    .filter(([, value]) => value)
    .flatMap(([label, value]) => [
      element('dt', {}, label),
      element('dd', { dir: 'auto' }, value),
    ]);
}

function moderation(handle, member, room, session, me) {
  const modes = (...changes) => session.ask('modes', { room: room.name, changes });
  const press = (label, mode, on, about = member.nick) =>
    button(label, (event) =>
      attempt(handle, () => modes({ mode, on, about }), event.currentTarget).then((done) => {
        if (done) handle.close();
      }),
    );
  const operator = member.status === 'operator';
  const voice = member.status === 'voice';
  const statuses = [
    press(operator ? 'No longer an operator' : 'Make an operator', 'operator', !operator),
    !operator && press(voice ? 'Take the voice' : 'Give a voice', 'voice', !voice),
  ];
  if (me) return [element('h3', {}, `In #${room.name}`), row(statuses)];
  return [
    element('h3', {}, `In #${room.name}`),
    row([...statuses, press('Mute', 'mute', true), press('Unmute', 'mute', false)]),
    kickForm(handle, member, room, session),
    banForm(handle, member, room, session, modes),
  ];
}

function row(buttons) {
  return element('p', { class: 'actions start' }, ...buttons.filter(Boolean));
}

function kickForm(handle, member, room, session) {
  const why = field('Reason (may be empty)', { maxlength: 200, autocomplete: 'off' });
  const kick = () =>
    session.ask('kick', { room: room.name, nick: member.nick, reason: why.input.value });
  const made = form(handle, [why.made], 'Kick', kick, { danger: true });
  return element('details', {}, element('summary', {}, 'Kick …'), made);
}

function banForm(handle, member, room, session, modes) {
  const mask = element('select', { id: 'ban-mask' });
  const option = (value, label) => mask.append(element('option', { value }, label));
  option(`${member.nick}!*@*`, `the nick ${member.nick}`);
  session.ask('whois', { nick: member.nick }).then((who) => {
    if (who.mask) {
      const host = who.mask.slice(who.mask.lastIndexOf('@') + 1);
      option(`*!*@${host}`, `the address ${host}`);
    }
    if (who.account) option(`~a:${who.account}`, `the account ${who.account}`);
  }, () => {});
  const why = field('Reason (may be empty)', { maxlength: 200, autocomplete: 'off' });
  const made = form(
    handle,
    [
      element('div', { class: 'field' }, element('label', { for: 'ban-mask' }, 'Keep out'), mask),
      why.made,
    ],
    'Ban and kick',
    async () => {
      const { name } = room;
      await modes({ mode: 'ban', on: true, about: mask.value });
      const gone = (error) => {
        if (error.code !== 'they_are_not_in_room' && error.code !== 'no_such_nick') throw error;
      };
      await session
        .ask('kick', { room: name, nick: member.nick, reason: why.input.value })
        .catch(gone);
    },
    { danger: true },
  );
  return element('details', {}, element('summary', {}, 'Ban …'), made);
}
