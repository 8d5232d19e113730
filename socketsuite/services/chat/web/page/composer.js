// Where one types: sends at Enter, completes nicks at Tab, repeats the last line at the up arrow.
//
// This module must not know what becomes of a line.

import { isSecret } from './commands.js';
import { completions } from './nicks.js';

const bytes = (text) => new TextEncoder().encode(text).length;

export class Composer {
  // *on*: send(text, whole) returns whether it was taken; lines(texts) asks; typed(text);
  // nicks() returns those that can be completed.
  constructor(form, on) {
    this.form = form;
    this.on = on;
    this.field = form.querySelector('textarea');
    this.counter = form.querySelector('.counter');
    this.most = 4096;
    this.last = '';
    this.completing = null;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.send();
    });
    this.field.addEventListener('input', () => this.#typed());
    this.field.addEventListener('keydown', (event) => this.#key(event));
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.#typed();
  }

  focus() {
    this.field.focus();
  }

  send() {
    const lines = this.text.split(/\r\n|\r|\n/).filter((line) => line.trim());
    if (!lines.length || lines.some((line) => this.#tooLong(line))) return;
    const taken = lines.length > 1 ? this.on.lines(lines) : this.on.send(lines[0]);
    if (!taken) return;
    if (lines.length === 1) this.last = isSecret(lines[0]) ? '' : lines[0];
    this.text = '';
  }

  #tooLong(line) {
    return bytes(line) > this.most;
  }

  #typed() {
    this.completing = null;
    this.field.style.height = 'auto';
    this.field.style.height = `${this.field.scrollHeight}px`;
    const longest = Math.max(...this.text.split('\n').map(bytes));
    const over = longest - this.most;
    this.counter.hidden = longest < this.most * 0.9;
    this.form.classList.toggle('over', over > 0);
    if (over > 0) this.counter.textContent = `${over} bytes too long for one message`;
    else this.counter.textContent = `${-over} bytes left`;
    this.on.typed(isSecret(this.text) ? '' : this.text);
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'Tab' && !event.shiftKey && !event.ctrlKey && !event.altKey) {
      if (this.#complete()) event.preventDefault();
    } else if (event.key === 'ArrowUp' && !this.text && this.last) {
      event.preventDefault();
      this.text = this.last;
    }
  }

  // Complete the nick before the caret; again for the next one.  False where there is none.
  #complete() {
    const { field } = this;
    let going = this.completing;
    if (!going) {
      if (field.selectionStart !== field.selectionEnd) return false;
      going = completions(field.value, field.selectionStart, this.on.nicks());
      if (!going) return false;
      going.next = 0;
    }
    const word = going.words[going.next % going.words.length];
    field.setRangeText(word, going.start, going.end, 'end');
    going.end = going.start + word.length;
    going.next += 1;
    this.#typed();
    this.completing = going.words.length > 1 ? going : null;
    return true;
  }
}
