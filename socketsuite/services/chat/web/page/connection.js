// A WebSocket that comes back by itself, and requests that are answered over it.
//
// It notices a connection that is dead without having said so: who has been silent is asked.
// This module must not know what is asked for, nor the document.

import { delay } from './backoff.js';

const SILENCE = 25000; // milliseconds after which the server is asked whether it is there
const ANSWER_WITHIN = 10000;
const LOOK_EVERY = 5000;
const STABLE = 10000; // a connection that has held so long begins the waits anew

// The server does not do it, for the reason it says; or the connection was lost meanwhile.
export class Refused extends Error {
  constructor(answer) {
    super(answer.text ?? 'the connection was lost');
    this.code = answer.code;
    this.about = answer.about;
    this.lost = answer.type !== 'refused';
  }
}

export class Connection {
  #socket = null;
  #asked = new Map();
  #number = 0;
  #attempt = 0;
  #timer = null;
  #look = null;
  #heard = 0;
  #pinged = 0;
  #opened = 0;
  #said = ''; // why the server closes
  #dropped = null; // what it said of requests that came too fast

  // *on*: opened(), event(object), changed(state, { retryAt, reason }).
  constructor(address, on, { Socket = globalThis.WebSocket, now = Date.now, random } = {}) {
    this.address = address;
    this.on = on;
    this.state = 'stopped';
    this.Socket = Socket;
    this.now = now;
    this.random = random;
  }

  start() {
    if (this.state === 'stopped') this.#connect();
  }

  // Close, and do not come back.
  stop() {
    clearTimeout(this.#timer);
    this.#release('');
    this.#change('stopped');
  }

  // Connect at once where one waits; ask at once whether an open connection still holds.
  hurry() {
    if (this.state === 'waiting') {
      clearTimeout(this.#timer);
      this.#connect();
    } else if (this.state === 'open' && !this.#pinged) {
      this.#ping();
    }
  }

  // Ask for something; a promise of the answer, which fails with Refused.
  ask(type, fields = {}) {
    if (this.state !== 'open') return Promise.reject(new Refused({}));
    this.#number += 1;
    const request = String(this.#number);
    return new Promise((resolve, reject) => {
      this.#asked.set(request, { resolve, reject });
      this.#socket.send(JSON.stringify({ type, request, ...fields }));
    });
  }

  #connect() {
    this.#said = '';
    this.#change('connecting');
    let socket;
    try {
      socket = this.#socket = new this.Socket(this.address);
    } catch {
      this.#lost('');
      return;
    }
    socket.onopen = () => this.#open();
    socket.onmessage = (frame) => this.#hear(frame.data);
    socket.onclose = () => this.#lost('');
    this.#timer = setTimeout(() => this.#lost('the server does not answer'), ANSWER_WITHIN);
  }

  #open() {
    clearTimeout(this.#timer);
    this.#opened = this.#heard = this.now();
    this.#pinged = 0;
    this.#look = setInterval(() => this.#watch(), LOOK_EVERY);
    this.#change('open');
    this.on.opened();
  }

  #hear(data) {
    this.#heard = this.now();
    this.#pinged = 0;
    let object;
    try {
      object = JSON.parse(data);
    } catch {
      this.#lost('the server said what is no JSON');
      return;
    }
    if (object.type !== 'done' && object.type !== 'refused') {
      if (object.type === 'closed') this.#said = object.reason ?? '';
      this.on.event(object);
      return;
    }
    this.#answered(object);
  }

  // Requests are answered in their order, but for those that came too fast: they are dropped, and
  // the one word about it does not say which.  The next answer tells, so one is asked for.
  #answered(object) {
    if (object.request === undefined) {
      this.#dropped = object;
      this.#ping();
      return;
    }
    for (const [request, asked] of this.#asked) {
      if (Number(request) > Number(object.request)) break;
      this.#asked.delete(request);
      if (request !== object.request) asked.reject(new Refused(this.#dropped ?? {}));
      else if (object.type === 'done') asked.resolve(object);
      else asked.reject(new Refused(object));
    }
  }

  #watch() {
    const now = this.now();
    if (this.#pinged && now - this.#pinged > ANSWER_WITHIN) {
      this.#lost('the server does not answer');
    } else if (!this.#pinged && now - this.#heard > SILENCE) {
      this.#ping();
    }
  }

  #ping() {
    this.#pinged = this.now();
    this.ask('ping').catch(() => {});
  }

  #lost(reason) {
    if (this.#opened && this.now() - this.#opened > STABLE) this.#attempt = 0;
    this.#release(reason || this.#said);
    const wait = delay(this.#attempt, this.random);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#change('waiting', { retryAt: this.now() + wait, reason: reason || this.#said });
  }

  #release(reason) {
    clearTimeout(this.#timer);
    clearInterval(this.#look);
    this.#opened = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(new Refused({ text: reason || undefined }));
  }

  #change(state, more = {}) {
    this.state = state;
    this.on.changed(state, more);
  }
}

// Return where the WebSocket is: beside the page, whatever stands before both in the address.
export function socketAddress(page) {
  const url = new URL('ws', page);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = url.hash = '';
  return url.href;
}
