// What the page says of itself: whether it is connected, what has come, how much is unread.

import { button, element } from './elements.js';
import { keepNotify, keptNotify } from './storage.js';
import { sentence } from './words.js';

const SPOKEN = 12; // lines that a screen reader may still have to read

// Says what arrives to screen readers, once and when there is time; never history.
export class Speaker {
  constructor(box) {
    this.box = box;
  }

  say(text) {
    this.box.append(element('p', { dir: 'auto' }, text));
    while (this.box.childElementCount > SPOKEN) this.box.firstElementChild.remove();
  }
}

// The line that says that one is not connected, and when that is tried again.
export class Banner {
  constructor(box, hurry) {
    this.box = box;
    this.hurry = hurry;
    this.timer = null;
    this.shown = '';
  }

  // *state* is open, connecting, waiting or stopped.
  show(state, { retryAt, reason } = {}, ready = true) {
    clearInterval(this.timer);
    document.documentElement.classList.toggle('offline', state === 'waiting');
    if (state === 'waiting') {
      const offline = navigator.onLine === false;
      const why = offline ? 'This device is offline.' : reason ? sentence(reason) : '';
      const text = ['Not connected.', why, 'What you type is kept.'].filter(Boolean).join(' ');
      this.#draw(text, retryAt);
      this.timer = setInterval(() => this.#count(retryAt), 1000);
      this.#count(retryAt);
    } else if (state === 'connecting' || (state === 'open' && !ready)) {
      if (this.shown) this.#draw('Connecting again …');
    } else {
      this.box.hidden = true;
      this.box.replaceChildren();
      this.shown = '';
    }
  }

  // Point at it, for who tries to send something.
  shake() {
    this.box.classList.remove('pointed');
    requestAnimationFrame(() => this.box.classList.add('pointed'));
  }

  #draw(text, retryAt) {
    this.box.hidden = false;
    if (this.shown === text) return;
    this.shown = text;
    // The seconds are not read out each time.
    this.seconds = element('span', { class: 'seconds', 'aria-hidden': 'true' });
    this.box.replaceChildren(element('span', {}, text), this.seconds);
    if (retryAt) this.box.append(button('Try now', this.hurry, { class: 'small' }));
  }

  #count(retryAt) {
    const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    this.seconds.textContent = `Again in ${left} s`;
  }
}

// The title of the window.
export function titled(places, offline) {
  const all = [...places.all.values()];
  const count = all.reduce((sum, place) => sum + (place.mentioned || 0), 0);
  const unread = all.some((place) => place.unread);
  const where = places.current ? `${places.current.title} – Chat` : 'Chat';
  const before = offline ? '(offline) ' : count ? `(${count}) ` : unread ? '• ' : '';
  document.title = before + where;
}

// Notifications of the browser, for who has asked for them.
export class Notifications {
  constructor(open) {
    this.open = open;
    this.wanted = keptNotify() && globalThis.Notification?.permission === 'granted';
  }

  // Turn them on or off; return whether they are on.
  async want(on) {
    const allowed = on && (await globalThis.Notification?.requestPermission()) === 'granted';
    this.wanted = allowed;
    keepNotify(allowed);
    return allowed;
  }

  tell(place, entry) {
    if (!this.wanted || !document.hidden) return;
    try {
      const title = place.kind === 'room' ? `${entry.nick} in ${place.title}` : entry.nick;
      const shown = new Notification(title, { body: entry.text.slice(0, 200), tag: place.key });
      shown.onclick = () => {
        window.focus();
        this.open(place);
        shown.close();
      };
    } catch {
      this.wanted = false; // some phones have them for installed pages only
    }
  }
}
