// Where one comes in: a nick, a room, and an account if one has one.

import { refusal } from './words.js';

export class Entrance {
  // *enter(who, room)* is called with what was filled in.
  constructor(box, enter) {
    this.box = box;
    this.form = box.querySelector('form');
    this.trouble = box.querySelector('.problem');
    this.submit = box.querySelector('[type=submit]');
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.problem('');
      this.busy(true);
      enter(this.#who(), this.#value('room').trim());
    });
  }

  #field(name) {
    return this.form.elements.namedItem(name);
  }

  #value(name) {
    return this.#field(name).value;
  }

  #who() {
    const who = { nick: this.#value('nick').trim() };
    const account = this.#value('username').trim();
    if (account) Object.assign(who, { account, password: this.#value('password') });
    const server = this.#value('server_password');
    if (server) who.server_password = server;
    return who;
  }

  fill({ nick, room }) {
    if (nick) this.#field('nick').value = nick;
    if (room) this.#field('room').value = room;
  }

  show() {
    this.box.hidden = false;
    this.busy(false);
    this.#field('nick').focus();
  }

  hide() {
    this.box.hidden = true;
    this.#field('password').value = '';
  }

  busy(whether) {
    this.submit.disabled = whether;
    this.submit.textContent = whether ? 'Coming in …' : 'Come in';
  }

  problem(text) {
    this.trouble.textContent = text;
  }

  refused(error) {
    this.show();
    this.problem(refusal(error));
    if (error.about === 'server_password') {
      this.box.querySelector('.server-password').hidden = false;
      this.#field('server_password').focus();
    } else if (error.code === 'wrong_password' || error.code === 'nick_reserved') {
      this.box.querySelector('details').open = true;
      const name = this.#value('username') ? 'password' : 'username';
      this.#field(name).focus();
    } else {
      this.#field('nick').select();
    }
  }
}
