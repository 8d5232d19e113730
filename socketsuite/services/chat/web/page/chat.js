// The page: what is typed goes to the server, what comes from it is shown.

import { changesOf } from './changes.js';
import { parsed } from './commands.js';
import { Composer } from './composer.js';
import { socketAddress } from './connection.js';
import { connectControls, showSide } from './controls.js';
import { deedsOf, nicksIn } from './deeds.js';
import { confirm, dialog } from './dialogs.js';
import { button, element, nick } from './elements.js';
import { Entrance } from './entrance.js';
import { Banner, Notifications, Speaker, titled } from './notices.js';
import { loginDialog } from './own_dialogs.js';
import { personDialog } from './person_dialog.js';
import { Places } from './places.js';
import { Session } from './session.js';
import { People, Rooms } from './sides.js';
import * as storage from './storage.js';
import { Transcript } from './transcript.js';
import { refusal } from './words.js';

const byId = (id) => document.getElementById(id);

class Chat {
  constructor() {
    this.places = new Places((what, place, more) => this.changes[what]?.(place, more));
    this.session = new Session(socketAddress(location.href), this.places, {
      ready: (first) => this.#ready(first),
      changed: (state, more) => this.#connection(state, more),
      refused: (error) => this.#refused(error),
      note: (text) => this.problem(new Error(text)),
      invited: (event) => this.#invited(event),
    });
    this.speaker = new Speaker(byId('spoken'));
    this.banner = new Banner(byId('connection'), () => this.session.connection.hurry());
    this.notifications = new Notifications(this.show);
    this.entrance = new Entrance(byId('entrance'), (who, name) => this.#enter(who, [{ name }]));
    this.rooms = new Rooms(byId('places'), this.places, { show: this.show, leave: this.leave });
    this.people = new People(byId('members'), this.places, { person: this.person });
    this.composer = this.#makeComposer();
    this.transcript = this.#makeTranscript();
    this.changes = changesOf(this);
    this.deeds = deedsOf(this);
    connectControls(this);
    this.#begin();
  }

  #makeComposer() {
    return new Composer(byId('composer'), {
      send: (line) => this.#send(parsed(line)),
      lines: (lines) => this.#sendLines(lines),
      typed: (text) => this.places.current && storage.keepDraft(this.places.current, text),
      nicks: () => nicksIn(this.places.current, this.places.me.nick),
    });
  }

  #makeTranscript() {
    const { session, places } = this;
    return new Transcript(byId('transcript'), {
      earlier: () => session.earlier(places.current),
      fill: (gap) => session.fill(places.current, gap),
      person: this.person,
      mayRedact: (entry) => places.mayRedact(places.current, entry),
      redact: (entry) => this.#redact(places.current, entry),
      again: (said) => this.#again(places.current, said),
      edit: (said) => {
        this.composer.text = said.text;
        session.outbox.forget(places.current, said);
        this.composer.focus();
      },
      discard: (said) => session.outbox.forget(places.current, said),
      atEnd: (atEnd) => this.#atEnd(atEnd),
      problem: this.problem,
    });
  }

  // ── coming in ──

  #begin() {
    const asked = new URLSearchParams(location.search);
    const kept = storage.keptSession();
    const name = kept?.nick || asked.get('nick') || '';
    const room = (asked.get('room') || 'lobby').replace(/^#/, '');
    this.entrance.fill({ nick: name, room });
    if (kept) this.#enter({ nick: kept.nick }, kept.rooms, kept);
    else if (name) this.#enter({ nick: name }, [{ name: room }]);
    else this.entrance.show();
  }

  #enter(who, rooms, kept) {
    this.wanted = { rooms, current: kept?.current };
    this.session.enter(who, Boolean(kept));
  }

  async #ready(first) {
    const { server } = this.session;
    this.composer.most = server.longest_text;
    byId('network').textContent = server.network;
    this.#connection('open', {});
    this.changes.me();
    if (!first) return;
    this.entrance.hide();
    byId('app').hidden = false;
    const wanted = this.wanted.rooms.filter((room) => room.name);
    if (!wanted.length) wanted.push({ name: server.lobby });
    const joins = wanted.map(({ name, key }) => this.session.join(name, key));
    const joined = await Promise.allSettled(joins);
    const places = joined.map((one) => one.value).filter(Boolean);
    this.show(places.find((place) => place.key === this.wanted.current) ?? places[0]);
    for (const { reason } of joined) if (reason) this.problem(reason);
    this.composer.focus();
  }

  #refused(error) {
    byId('app').hidden = true;
    this.entrance.refused(error);
    this.banner.show('stopped');
  }

  #connection(state, more) {
    const { entered, ready } = this.session;
    if (entered || state === 'stopped') {
      this.banner.show(state, more, ready);
    } else if (state === 'waiting') {
      this.entrance.show();
      this.entrance.problem('The server cannot be reached. Trying again …');
    }
    byId('app').classList.toggle('not-ready', !ready);
    titled(this.places, entered && !ready);
  }

  quit = () => {
    this.session.quit();
    storage.keepSession(null);
    for (const place of [...this.places.all.values()]) this.places.close(place);
    byId('app').hidden = true;
    this.entrance.show();
  };

  login = async (account, password) => {
    const done = (answer, said) => {
      this.session.loggedIn(answer, said);
      this.changes.me();
      this.#answer(`You are logged in as ${answer.account}.`);
    };
    if (!password) {
      loginDialog({ session: this.session, done }, account);
      return;
    }
    const said = { account, password };
    done(await this.session.ask('login', said), said);
  };

  // ── places and people ──

  join = async (name, key) => {
    this.show(await this.session.join(name, key));
    this.composer.focus();
  };

  leave = async (place) => {
    try {
      await this.session.leave(place);
      storage.keepDraft(place, '');
    } catch (error) {
      this.problem(error);
    }
  };

  show = (place) => {
    const known = place && this.places.all.get(place.key) === place;
    this.places.show(known ? place : ([...this.places.all.values()][0] ?? null));
    showSide(null);
  };

  person = (name) => {
    const { session, places } = this;
    const message = (who) => {
      this.show(places.open('private', who));
      this.composer.focus();
    };
    personDialog(name, places.current, { session, places, message });
  };

  #invited({ room, by }) {
    const text = element('p', {}, nick(by), ' invites you to ', nick(`#${room}`), '.');
    this.speaker.say(`${by} invites you to #${room}`);
    const box = element('div', { class: 'invitation', role: 'group', 'aria-label': 'Invitation' });
    const join = () => {
      box.remove();
      this.join(room).catch(this.problem);
    };
    const buttons = [
      button('Come in', join, { class: 'primary small' }),
      button('Not now', () => box.remove(), { class: 'quiet small' }),
    ];
    box.append(text, element('p', { class: 'actions' }, ...buttons));
    const all = byId('invitations');
    all.append(box);
    while (all.childElementCount > 3) all.firstElementChild.remove();
  }

  // ── saying things ──

  // Do what a line asks for; false where it has to stay in the field.
  #send({ name, ...fields }) {
    const place = this.places.current;
    if (!place || !this.#connected()) return false;
    const done = new Promise((resolve) => {
      resolve(this.deeds[name](place, fields));
    });
    done.catch(this.problem);
    if (name === 'say' || name === 'me') this.transcript.toEnd();
    return true;
  }

  #connected() {
    if (this.session.ready) return true;
    this.speaker.say('Not connected: not sent. What you typed is kept.');
    this.banner.shake();
    return false;
  }

  #sendLines(lines) {
    const place = this.places.current;
    if (!place || !this.#connected()) return false;
    const send = async () => {
      this.composer.text = '';
      for (const line of lines) {
        // One after the other: what is refused is known before the next.
        await this.session.outbox.say(place, line);
      }
    };
    dialog(`Send ${lines.length} messages?`, (handle) => [
      element('p', {}, 'Each line is a message of its own. Empty lines are left out.'),
      element('pre', { class: 'lines', tabindex: '0', dir: 'auto' }, lines.slice(0, 50).join('\n')),
      element(
        'p',
        { class: 'actions' },
        button('Keep editing', handle.close, { class: 'quiet' }),
        button(`Send ${lines.length} messages`, () => {
          handle.close();
          send();
        }, { class: 'primary', autofocus: true }),
      ),
    ]);
    return false;
  }

  #again(place, said) {
    if (!this.#connected()) return;
    this.session.outbox.forget(place, said);
    this.session.outbox.say(place, said.text, said.kind);
  }

  #redact(place, entry) {
    const what = entry.text.length > 120 ? `${entry.text.slice(0, 120)} …` : entry.text;
    confirm('Take this message back?', what, 'Take it back', () =>
      this.session.ask('redact', { room: place.name, id: entry.id }));
  }

  // ── what was seen, and what was refused ──

  seen() {
    const place = this.places.current;
    if (place && !document.hidden && this.transcript.atEnd) this.places.read(place);
  }

  #atEnd(atEnd) {
    byId('latest').hidden = atEnd;
    if (atEnd) this.seen();
  }

  #answer(text) {
    if (this.places.current) this.places.note(this.places.current, 'answer', text);
  }

  problem = (error) => {
    const text = refusal(error);
    if (!this.places.current) {
      document.querySelector('#nowhere .problem').textContent = text;
      return;
    }
    this.places.note(this.places.current, 'problem', text);
    this.speaker.say(text);
  };
}

globalThis.chat = new Chat();
