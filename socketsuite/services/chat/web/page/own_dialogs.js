// Dialogs about oneself, the list of rooms, and help.

import { COMMANDS } from './commands.js';
import { attempt, dialog, form } from './dialogs.js';
import { button, element, field, nick, switchField } from './elements.js';
import { people } from './words.js';

// Who one is: nick, away, login, notifications, leaving.
export function selfDialog({ session, places, notifications, login, quit }) {
  const { me } = places;
  return dialog('You', (handle) => {
    const name = field('Nick', {
      value: me.nick, required: true, maxlength: 32, autocomplete: 'nickname',
      spellcheck: 'false', autocapitalize: 'off',
    });
    const away = field('Away', { value: me.away ?? '', maxlength: 200, autocomplete: 'off' },
      'What others read while you are away. Empty is here.');
    const account = me.account
      ? element('p', {}, 'You are logged in as ', nick(me.account), '.')
      : element('p', { class: 'actions start' }, button('Log in …', () => {
          handle.close();
          login();
        }));
    const notify = switchField('Notifications', notifications.wanted, async (on, input) => {
      input.checked = await notifications.want(on);
      if (on && !input.checked) {
        handle.problem(new Error('the browser does not allow notifications here'));
      }
    }, 'when you are mentioned or written to, and do not look');
    const rename = () => session.ask('nick', { nick: name.input.value });
    return [
      form(handle, [name.made], 'Change', rename, { stay: true }),
      form(handle, [away.made], 'Set', () => goAway(session, places, away.input.value), {
        stay: true,
      }),
      session.server?.accounts || me.account ? account : null,
      notify.made,
      element('p', { class: 'actions' }, button('Leave the chat', () => {
        handle.close();
        quit();
      }, { class: 'danger quiet' })),
    ];
  });
}

// Be away, or back where *text* is empty.
export async function goAway(session, places, text) {
  await session.ask('away', text ? { message: text } : {});
  places.me.away = text || null;
  places.changed('me');
}

// Log in, in a form that the browser's password manager knows.
export function loginDialog({ session, done }, name = '') {
  return dialog('Log in', (handle) => {
    const account = field('Account', {
      name: 'username', value: name, required: true, autocomplete: 'username',
      spellcheck: 'false', autocapitalize: 'off', maxlength: 64, autofocus: !name,
    });
    const password = field('Password', {
      name: 'password', type: 'password', required: true, autocomplete: 'current-password',
      autofocus: Boolean(name),
    });
    const work = async () => {
      const said = { account: account.input.value, password: password.input.value };
      done(await session.ask('login', said), said);
    };
    return form(handle, [account.made, password.made], 'Log in', work);
  });
}

// The list of rooms, and a field for another one.
export function roomsDialog({ session, places, join }) {
  return dialog('Rooms', (handle) => {
    const list = element('ul', { class: 'rooms' });
    const enter = (name, key) => attempt(handle, async () => {
      await join(name, key);
      handle.close();
    });
    session.ask('rooms').then(({ rooms }) => {
      rooms.sort((one, other) => other.people - one.people || one.name.localeCompare(other.name));
      list.replaceChildren(...rooms.map((room) => roomItem(room, places, enter)));
    }, handle.problem);
    const name = field('Another room', {
      required: true, maxlength: 65, autocomplete: 'off', spellcheck: 'false',
      autocapitalize: 'off', placeholder: 'its name',
    }, 'It comes into being when you come in.');
    const key = field('Key, where it has one', { autocomplete: 'off', maxlength: 64 });
    return [
      list,
      form(handle, [name.made, key.made], 'Come in', () =>
        join(name.input.value.trim(), key.input.value || undefined)),
    ];
  });
}

function roomItem(room, places, enter) {
  const inside = places.room(room.name)?.inside;
  const open = button(nick(`#${room.name}`), () => enter(room.name), { class: 'room' });
  const count = inside ? `${people(room.people)}, with you` : people(room.people);
  open.append(element('small', {}, count));
  if (room.topic) open.append(element('span', { class: 'topic', dir: 'auto' }, room.topic));
  return element('li', {}, open);
}

const KEYS = [
  ['Enter', 'send'],
  ['Shift+Enter', 'begin another line; each line is a message of its own'],
  ['Tab', 'complete a nick; again for the next one'],
  ['↑', 'your last line again, where the field is empty'],
  ['F6, Shift+F6', 'the next area of the page, the one before'],
  ['Alt+↑, Alt+↓', 'the room above, the room below'],
  ['Alt+Shift+↓', 'the next room with something unread'],
  ['↑ and ↓ in the messages', 'from message to message; Delete takes one back'],
  ['Esc', 'close what is open; back to the message field'],
];

// Commands and keys.
export function helpDialog() {
  const rows = (pairs) =>
    pairs.flatMap(([term, text]) => [element('dt', {}, term), element('dd', {}, text)]);
  const commands = Object.entries(COMMANDS).map(([name, [usage, help]]) => [
    `/${name} ${usage}`.trim(), help,
  ]);
  return dialog('Commands and keys', () => [
    element('h3', {}, 'Keys'),
    element('dl', { class: 'help' }, ...rows(KEYS)),
    element('h3', {}, 'Commands'),
    element('p', {}, 'A line that is to begin with a slash begins with two.'),
    element('dl', { class: 'help' }, ...rows(commands)),
  ], { reading: true });
}
