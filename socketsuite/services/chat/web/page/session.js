// Who one is on the server, and what one asks of it: coming in, rooms, what was said there.
//
// After a lost connection it comes in again by the same nick and into the same rooms, and asks
// for exactly what was missed.  This module must not know the document.

import { Connection } from './connection.js';
import { keyOf, mentions } from './nicks.js';
import { Outbox } from './outbox.js';
import { refusal } from './words.js';

const NICK_AGAIN = [1000, 2000]; // while the lost connection may still hold it
const NICK_LATER = [3000, 5000, 10000, 20000, 30000, 30000, 60000, 60000, 120000];
const AT_ONCE = 200; // messages that one answer holds
const MOST_MISSED = 1000; // messages of a gap that are loaded unasked

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class Session {
  #last = {}; // what hello said last, to say it again
  #turn = 0; // of connections; what an older one began is not gone on with
  #wanted = ''; // the nick that one had, which the lost connection may still hold

  // *on*: ready(first), lost(state), refused(error), note(text).
  constructor(address, places, on, options) {
    this.places = places;
    this.on = on;
    this.server = null;
    this.outbox = new Outbox((type, fields) => this.ask(type, fields), places);
    this.ready = false;
    this.entered = false;
    this.connection = new Connection(address, {
      opened: () => this.#greet(),
      event: (event) => this.#hear(event),
      changed: (state, more) => this.#changed(state, more),
    }, options);
  }

  // Come in, as *who*: { nick, account, password, server_password }, each where there is one.
  // *again*: after the page was loaded anew, while the server may still hold its nick.
  enter(who, again = false) {
    this.#last = who;
    this.#wanted = again ? who.nick : '';
    this.connection.stop();
    this.connection.start();
  }

  // Log in as well whenever the connection comes back.
  loggedIn(answer, said) {
    Object.assign(this.#last, said);
    const { account, nick, operator } = answer;
    Object.assign(this.places.me, { account, nick, operator });
  }

  quit() {
    this.entered = this.ready = false;
    this.places.me.away = null;
    this.connection.stop();
  }

  ask(type, fields) {
    return this.connection.ask(type, fields);
  }

  #hear(event) {
    if (event.type === 'invited') this.on.invited(event);
    else this.places.hear(event);
  }

  #changed(state, more) {
    if (state !== 'open') {
      this.#turn += 1;
      this.ready = false;
    }
    this.on.changed(state, more);
  }

  // ── coming in ──

  async #greet() {
    const turn = this.#turn;
    try {
      const again = this.entered || this.#wanted;
      const welcome = again ? await this.#again(turn) : await this.#hello(this.#last);
      if (turn !== this.#turn) return;
      this.#welcomed(welcome);
    } catch (error) {
      if (error.lost || turn !== this.#turn) return;
      this.connection.stop();
      this.entered = false;
      this.on.refused(error);
    }
  }

  #hello(who) {
    const given = Object.entries(who).filter(([, text]) => text);
    return this.ask('hello', { version: 1, ...Object.fromEntries(given) });
  }

  // Come in by the nick one had; where that is still held, as a guest that takes it later.
  async #again(turn) {
    const { me } = this.places;
    if (me.chosen) this.#wanted = me.nick;
    const who = { ...this.#last, nick: this.#wanted };
    for (const pause of [...NICK_AGAIN, 0]) {
      try {
        return await this.#hello(who);
      } catch (error) {
        if (error.lost || turn !== this.#turn) throw error;
        if (!this.entered && error.code !== 'nick_in_use') throw error;
        if (error.code === 'wrong_password') {
          if (error.about === 'server_password') throw error;
          this.on.note(`You are not logged in any more: ${refusal(error)}`);
          who.account = who.password = undefined;
        } else if (pause) {
          await wait(pause);
        }
      }
    }
    const { server_password } = who;
    const welcome = await this.#hello({ server_password });
    this.#regain(who, turn);
    return welcome;
  }

  // Take the nick back as soon as the server gives it.
  async #regain({ nick, account, password }, turn) {
    let answer = null;
    if (account) answer = await this.ask('login', { account, password }).catch(() => null);
    if (answer) Object.assign(this.places.me, { account: answer.account });
    for (const pause of nick ? NICK_LATER : []) {
      await wait(pause);
      const { me } = this.places;
      if (turn !== this.#turn || me.chosen) return;
      try {
        await this.ask('nick', { nick });
        return;
      } catch (error) {
        if (error.lost) return;
      }
    }
  }

  #welcomed(welcome) {
    const { me } = this.places;
    const first = !this.entered;
    const chosen = (this.#wanted || this.#last.nick || '').normalize('NFC');
    me.chosen = Boolean(welcome.account) || keyOf(welcome.nick) === keyOf(chosen);
    Object.assign(me, {
      nick: welcome.nick, account: welcome.account, operator: welcome.operator,
    });
    this.server = welcome;
    this.ready = this.entered = true;
    this.on.ready(first);
    if (!first) {
      for (const place of this.places.all.values()) if (place.inside) this.#rejoin(place);
      if (me.away) this.ask('away', { message: me.away }).catch(() => {});
    }
  }

  // ── rooms ──

  // Come into a room; a promise of its place.
  async join(name, key) {
    const known = this.places.room(name);
    const answer = await this.#join(name, key ?? known?.password, known?.timeline.lastId);
    const place = this.places.open('room', answer.room.name);
    place.password = key ?? place.password;
    await this.#inside(place, answer);
    return place;
  }

  #join(room, key, after) {
    const fields = { room, limit: after ? AT_ONCE : 50 };
    if (key) fields.key = key;
    if (after) fields.after = after;
    return this.ask('join', fields);
  }

  async #rejoin(place) {
    if (place.kind !== 'room') return;
    try {
      const answer = await this.#join(place.name, place.password, place.timeline.lastId);
      await this.#inside(place, answer);
    } catch (error) {
      if (error.lost) return;
      place.inside = false;
      place.shut = refusal(error);
      this.places.changed('shut', place);
    }
  }

  async #inside(place, answer) {
    const { timeline } = place;
    const known = timeline.entries.length > 0;
    place.inside = true;
    place.shut = '';
    place.setState(answer.room);
    this.outbox.confirm(place, answer.messages, (said) => this.#isMine(said));
    const fresh = timeline.appendMissed(this.#mine(answer.messages), answer.gap);
    if (!known) timeline.more = answer.more;
    const gap = answer.gap && timeline.openGap;
    if (gap) gap.filling = true;
    this.places.changed('joined', place);
    for (const entry of known ? fresh : []) {
      if (!entry.own) this.places.changed('missed', place, entry);
    }
    if (gap) await this.#fillUnasked(place, gap);
  }

  async #fillUnasked(place, gap) {
    const { entries } = place.timeline;
    for (let loaded = AT_ONCE; loaded < MOST_MISSED; loaded += AT_ONCE) {
      if (!entries.includes(gap) || gap.lost || !this.ready) break;
      await this.fill(place, gap).catch(() => {});
    }
    gap.filling = false;
    if (entries.includes(gap)) this.places.changed('rebuilt', place);
  }

  // Load what lacks at a gap, or the last of it.
  async fill(place, gap) {
    const { timeline } = place;
    const before = timeline.behind(gap);
    if (!before) return this.#lostGap(place, gap);
    try {
      const answer = await this.ask('history', { room: place.name, before, limit: AT_ONCE });
      this.outbox.confirm(place, answer.messages, (said) => this.#isMine(said));
      timeline.fill(gap, this.#mine(answer.messages), answer.more);
      this.places.changed('rebuilt', place);
    } catch (error) {
      if (error.code === 'no_such_message') return this.#lostGap(place, gap);
      throw error;
    }
    return undefined;
  }

  #lostGap(place, gap) {
    place.timeline.giveUp(gap);
    this.places.changed('rebuilt', place);
  }

  // Load what was said before all that is here.
  async earlier(place) {
    const { timeline } = place;
    if (place.kind !== 'room' || !place.inside || !timeline.more || timeline.full) return;
    const fields = { room: place.name, limit: AT_ONCE };
    if (timeline.firstId) fields.before = timeline.firstId;
    try {
      const answer = await this.ask('history', fields);
      timeline.prepend(this.#mine(answer.messages), answer.more);
    } catch (error) {
      if (error.code !== 'no_such_message') throw error;
      timeline.more = false;
    }
  }

  #mine(messages) {
    return messages.map((said) => {
      const own = this.#isMine(said);
      return { ...said, own, named: !own && mentions(said.text, this.places.me.nick) };
    });
  }

  #isMine(said) {
    return this.places.isMe(said.nick) || keyOf(said.nick) === keyOf(this.#wanted);
  }

  async leave(place) {
    if (place.kind === 'room' && place.inside) await this.ask('leave', { room: place.name });
    this.places.close(place);
  }
}
