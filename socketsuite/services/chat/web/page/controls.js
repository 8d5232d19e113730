// The buttons around the conversation, keys, and what the window tells.

import { listen } from './keys.js';
import { helpDialog, roomsDialog, selfDialog } from './own_dialogs.js';
import { roomDialog } from './room_dialog.js';

const byId = (id) => document.getElementById(id);
const SIDES = ['rooms', 'people'];

// Show one side over the conversation, where there is no room beside it; null hides both.
export function showSide(side) {
  const app = byId('app');
  for (const one of SIDES) {
    const open = one === side && !app.classList.contains(`with-${one}`);
    app.classList.toggle(`with-${one}`, open);
    byId(`show-${one}`).setAttribute('aria-expanded', String(open));
    if (open) byId(one).querySelector('button')?.focus();
  }
}

export function connectControls(chat) {
  const { places, session, transcript } = chat;
  const press = (id, work) => byId(id).addEventListener('click', work);
  press('browse', () => roomsDialog(chat));
  press('find', () => roomsDialog(chat));
  press('me', () => selfDialog(chat));
  press('help', () => helpDialog());
  press('settings', () => {
    const place = places.current;
    if (place?.kind === 'room') roomDialog(place, chat);
    else if (place) chat.person(place.name);
  });
  press('latest', () => {
    if (places.current.unread) chat.show(places.current);
    transcript.toEnd();
    chat.composer.focus();
  });
  for (const side of SIDES) press(`show-${side}`, () => showSide(side));
  press('shade', () => showSide(null));
  const hurry = () => session.connection.hurry();
  window.addEventListener('online', hurry);
  window.addEventListener('offline', hurry);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    hurry();
    chat.seen();
  });
  connectKeys(chat);
}

function connectKeys({ places, show, composer }) {
  const within = (id, selector) => ({
    box: byId(id),
    focus: () => {
      const target = selector ? byId(id).querySelector(selector) : byId(id);
      if (!target?.checkVisibility({ visibilityProperty: true })) return false;
      target.focus();
      return true;
    },
  });
  const areas = [
    within('rooms', '[aria-current], button'),
    within('bar', '.title-button'),
    within('transcript'),
    within('composer', 'textarea'),
    within('people', '.person'),
  ];
  listen(areas, {
    step: (by) => {
      const all = [...places.all.values()];
      const next = all[(all.indexOf(places.current) + by + all.length) % all.length];
      if (next) show(next);
    },
    nextUnread: () => {
      const next = [...places.all.values()].find((place) => place.unread);
      if (next) show(next);
    },
    escape: () => {
      showSide(null);
      composer.focus();
    },
  });
}
