// The conversation as one sees it: its last part, earlier ones as one scrolls up to them.
//
// What arrives within a frame is shown at once.  Parts of some are laid out only near what is
// seen.  This module must not know how anything is asked for.

import { eachFrame, element, keepFocus } from './elements.js';
import { entryElement, redactButton, waitingElement } from './entry.js';

const PART = 25; // entries of one part
const AT_FIRST = 150;
const MORE = 50;
const MOST_BELOW = 600; // entries that are shown at the end, before the first ones are let go of
const NEAR = 800; // pixels from the top at which earlier ones are shown
const AT_END = 60;

export class Transcript {
  // *box* scrolls.  *on*: earlier(), fill(gap), person(nick), redact(entry), again, edit,
  // discard(said), mayRedact(entry), atEnd(whether), problem(error).
  constructor(box, on) {
    this.box = box;
    this.on = on;
    this.top = element('div', { class: 'beginning' });
    this.parts = element('div', { class: 'parts' });
    this.tail = element('div', { class: 'tail' });
    box.append(this.top, this.parts, this.tail);
    this.place = null;
    this.shown = new Map(); // elements by the keys of their entries
    this.fresh = [];
    this.atEnd = true;
    this.scrolledTo = 0;
    this.busy = false;
    this.flush = eachFrame(() => this.#flush());
    this.scrolled = eachFrame(() => this.#scrolled());
    box.addEventListener('scroll', this.scrolled, { passive: true });
    box.addEventListener('click', (event) => this.#clicked(event));
    box.addEventListener('pointerover', (event) => this.#offer(event.target));
    box.addEventListener('focusin', (event) => this.#offer(event.target));
    box.addEventListener('keydown', (event) => this.#key(event));
    const resized = new ResizeObserver(() => this.atEnd && this.toEnd());
    for (const one of [box, this.parts, this.tail]) resized.observe(one);
  }

  // Show a place from its end, or from what one has not read there.
  show(place) {
    this.place = place;
    this.newFrom = place?.unread ? place.firstUnread : null;
    this.fresh = [];
    this.#fill(place ? place.timeline.entries.slice(-AT_FIRST) : []);
    this.waiting();
    this.toEnd();
    const unread = this.shown.get(this.newFrom);
    if (unread && this.box.scrollHeight - unread.offsetTop > this.box.clientHeight) {
      this.box.scrollTop = unread.offsetTop - this.box.clientHeight / 3;
      this.#setAtEnd(false);
    }
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.scrolledTo = this.box.scrollTop;
    this.#setAtEnd(true);
  }

  // Add what has just been said.
  append(entries) {
    this.fresh.push(...entries);
    this.flush();
  }

  // Show an entry as it is now.
  replace(entry) {
    const old = this.shown.get(entry.key);
    if (!old) return;
    const made = this.#made(entry, this.#before(entry));
    keepFocus(this.parts, 'key', '.message', () => old.replaceWith(made));
    this.shown.set(entry.key, made);
  }

  // Show everything anew, at the same place.
  rebuild() {
    const { entries } = this.place.timeline;
    const keys = new Set(this.shown.keys());
    const first = entries.findIndex((one) => keys.has(one.key));
    const from = first < 0 ? Math.max(0, entries.length - AT_FIRST) : first;
    const seen = this.#seen();
    const before = seen?.getBoundingClientRect().top;
    keepFocus(this.parts, 'key', '.message', () => this.#fill(entries.slice(from)));
    const now = this.atEnd ? null : this.shown.get(seen?.dataset.key);
    if (now) this.box.scrollTop += now.getBoundingClientRect().top - before;
    this.scrolledTo = this.box.scrollTop;
  }

  waiting() {
    const said = this.place ? this.place.waiting : [];
    this.tail.replaceChildren(...said.map((one) => waitingElement(one, this.on)));
    if (this.atEnd) this.toEnd();
  }

  #made(entry, previous) {
    const fill = (gap, button) => {
      button.disabled = true;
      this.on.fill(gap).catch(this.on.problem);
    };
    return entryElement(entry, previous, { fill, isNew: entry.key === this.newFrom });
  }

  #before(entry) {
    const { entries } = this.place.timeline;
    return entries[entries.lastIndexOf(entry) - 1];
  }

  #fill(entries) {
    this.shown.clear();
    this.parts.replaceChildren(...this.#partsOf(entries));
    this.#beginning();
  }

  #partsOf(entries) {
    const parts = [];
    const first = entries.length ? this.#before(entries[0]) : undefined;
    for (let start = 0; start < entries.length; start += PART) {
      const part = element('div', { class: 'part' });
      for (const [place, entry] of entries.slice(start, start + PART).entries()) {
        part.append(this.#make(entry, entries[start + place - 1] ?? first));
      }
      parts.push(part);
    }
    return parts;
  }

  #make(entry, previous) {
    const made = this.#made(entry, previous);
    this.shown.set(entry.key, made);
    return made;
  }

  #flush() {
    if (!this.place) return;
    const { entries } = this.place.timeline;
    const fresh = this.fresh.splice(0).filter((one) => !this.shown.has(one.key));
    if (!fresh.length) return;
    if (fresh.length > AT_FIRST) {
      this.#fill(entries.slice(-AT_FIRST));
    } else {
      this.#add(fresh);
    }
    if (!this.atEnd) return;
    while (this.shown.size > MOST_BELOW) this.#letGo(this.parts.firstElementChild);
    this.#beginning();
    this.toEnd();
  }

  #add(fresh) {
    let part = this.parts.lastElementChild;
    let previous = this.#before(fresh[0]);
    for (const entry of fresh) {
      if (!part || part.childElementCount >= PART) {
        part = element('div', { class: 'part' });
        this.parts.append(part);
      }
      part.append(this.#make(entry, previous));
      previous = entry;
    }
  }

  #letGo(part) {
    for (const one of part.children) this.shown.delete(one.dataset.key);
    part.remove();
  }

  // ── scrolling ──

  #scrolled() {
    const { box } = this;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < AT_END;
    // What grows above or below is no reason to stay: only who scrolls up leaves the end.
    const upwards = box.scrollTop < this.scrolledTo - 1;
    this.scrolledTo = box.scrollTop;
    if (atEnd || upwards || !this.atEnd) this.#setAtEnd(atEnd);
    if (box.scrollTop < NEAR && !this.busy && this.place) this.#showEarlier();
  }

  #setAtEnd(atEnd) {
    if (atEnd !== this.atEnd || atEnd) this.on.atEnd(atEnd);
    this.atEnd = atEnd;
  }

  async #showEarlier() {
    const { place } = this;
    if (this.#hidden() === 0) {
      if (!place.timeline.more || place.timeline.full || !place.inside) return;
      this.busy = true;
      try {
        await this.on.earlier();
      } catch (error) {
        this.on.problem(error);
        return;
      } finally {
        this.busy = false;
      }
      if (this.place !== place) return;
    }
    const first = this.#hidden();
    const { entries } = place.timeline;
    const old = entries[first];
    this.#keepPlace(() => {
      this.parts.prepend(...this.#partsOf(entries.slice(Math.max(0, first - MORE), first)));
      if (old) this.replace(old);
      this.#beginning();
    });
    if (this.box.scrollTop < NEAR && first > 0) this.scrolled();
  }

  // How many entries there are before those that are shown.
  #hidden() {
    const { entries } = this.place.timeline;
    const key = this.parts.firstElementChild?.firstElementChild?.dataset.key;
    const place = entries.findIndex((one) => one.key === key);
    return place < 0 ? entries.length : place;
  }

  // Change what is above, and have what one looks at stay where it is.  Most browsers do so by
  // themselves, but not at the very top.
  #keepPlace(change) {
    const { box } = this;
    const anchored = CSS.supports('overflow-anchor', 'auto');
    if (anchored && box.scrollTop < 1) box.scrollTop = 1;
    const seen = anchored ? null : this.#seen();
    const before = seen?.getBoundingClientRect().top;
    change();
    if (seen) box.scrollTop += seen.getBoundingClientRect().top - before;
    this.scrolledTo = box.scrollTop;
  }

  // The first entry that is seen.  Parts are asked first: what is in one is laid out by that.
  #seen() {
    const upper = this.box.getBoundingClientRect().top;
    const below = (one) => one.getBoundingClientRect().bottom > upper;
    return [...([...this.parts.children].find(below)?.children ?? [])].find(below);
  }

  #beginning() {
    const { place } = this;
    if (!place) return this.top.replaceChildren();
    const { more, full } = place.timeline;
    let text = place.kind === 'room' ? `This is where ${place.title} begins.` : '';
    if (place.kind === 'private') text = `Only you and ${place.name} see what you say here.`;
    if (full && more) text = 'Earlier messages are not loaded: these are as many as the page keeps.';
    else if (more || this.#hidden() > 0) text = 'Earlier messages load as you scroll up.';
    return this.top.replaceChildren(element('p', { dir: 'auto' }, text));
  }

  // ── pointing at messages ──

  #entryOf(target) {
    const key = target.closest('.entry')?.dataset.key;
    return key && this.place.timeline.get(key);
  }

  #clicked(event) {
    const name = event.target.closest('.name');
    if (name) this.on.person(name.dataset.nick);
  }

  // Offer to take back the message that is pointed at, where one may.
  #offer(target) {
    const body = target.closest?.('.entry .message');
    if (!body || body.contains(this.offered)) return;
    const entry = this.#entryOf(body);
    this.offered?.remove();
    this.offered = null;
    if (!entry || entry.removed || !this.on.mayRedact(entry)) return;
    this.offered = redactButton(() => this.on.redact(entry));
    body.append(this.offered);
  }

  #key(event) {
    if (event.target.closest('button, a') || event.altKey || event.ctrlKey) return;
    const messages = [...this.parts.querySelectorAll('.message')];
    const place = messages.indexOf(event.target);
    let next = null;
    if (event.key === 'ArrowUp') next = place < 0 ? messages.at(-1) : messages[place - 1];
    else if (event.key === 'ArrowDown' && place >= 0) next = messages[place + 1];
    else if (event.key === 'Delete' && place >= 0) {
      const entry = this.#entryOf(event.target);
      if (entry && !entry.removed && this.on.mayRedact(entry)) this.on.redact(entry);
    }
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest' });
  }
}
