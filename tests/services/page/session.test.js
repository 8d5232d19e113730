// The whole session over a socket that the test holds, at a clock that the test turns.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Places } from './places.js';
import { Session } from './session.js';
import { socketAddress } from './connection.js';

let now = 0;
let timers = [];
let sockets = [];
globalThis.setTimeout = (work, after) => timers.push({ work, due: now + after, every: 0 });
globalThis.setInterval = (work, every) => timers.push({ work, due: now + every, every });
globalThis.clearTimeout = globalThis.clearInterval = (id) => {
  if (timers[id - 1]) timers[id - 1].work = null;
};

async function turn(milliseconds) {
  const end = now + milliseconds;
  for (;;) {
    await settled();
    const next = timers.filter((one) => one.work).sort((a, b) => a.due - b.due)[0];
    if (!next || next.due > end) break;
    now = next.due;
    const { work } = next;
    if (next.every) next.due += next.every;
    else next.work = null;
    work();
  }
  now = end;
}

async function settled() {
  for (let i = 0; i < 50; i += 1) await null;
}

class Socket {
  constructor(address) {
    this.address = address;
    this.sent = [];
    this.closed = false;
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  open() {
    this.onopen();
  }
  // Say something, and have all be done that follows from it.
  async tell(object) {
    this.onmessage?.({ data: JSON.stringify(object) });
    await settled();
  }
  // Answer the next request of that type.
  async answer(type, fields) {
    const asked = this.sent.find((one) => one.type === type && !one.answered);
    assert.ok(asked, `no ${type} in ${JSON.stringify(this.sent)}`);
    asked.answered = true;
    await this.tell({ type: 'done', request: asked.request, ...fields });
    return asked;
  }
  async refuse(type, code) {
    await this.answer(type, { type: 'refused', code, text: code, about: '' });
  }
}

const welcome = (nick) => ({ nick, account: null, operator: false, lobby: 'lobby' });
const room = { name: 'den', people: 1, topic: '', modes: [], limit: null, members: [] };
const said = (id, nick, text) => ({
  type: 'message', id, time: 1, nick, kind: 'message', text, room: 'den', order: 1,
});
const texts = (place) => place.timeline.entries.filter((e) => e.text).map((e) => e.text);

let session;
let places;
let heard;

beforeEach(() => {
  [now, timers, sockets, heard] = [0, [], [], []];
  places = new Places(() => {});
  const on = {
    ready: (first) => heard.push(first ? 'first' : 'again'),
    changed: (state) => heard.push(state),
    refused: (error) => heard.push(error.code),
    note: (text) => heard.push(text),
    invited: (event) => heard.push(event.room),
  };
  session = new Session('ws://here/ws', places, on, { Socket, now: () => now, random: () => 0.5 });
});

async function inside() {
  session.enter({ nick: 'ann' });
  sockets[0].open();
  await sockets[0].answer('hello', welcome('ann'));
  const joining = session.join('den');
  await sockets[0].answer('join', { room, messages: [said('1', 'bob', 'one')], more: false, gap: false });
  return joining;
}

async function comesBack(nick = 'ann') {
  sockets[0].onclose();
  await turn(1000);
  sockets[1].open();
  if (nick) await sockets[1].answer('hello', welcome(nick));
}

test('the socket is beside the page, whatever stands before', () => {
  assert.equal(socketAddress('https://a.example/'), 'wss://a.example/ws');
  assert.equal(socketAddress('http://a.example:81/b/c/?room=x#y'), 'ws://a.example:81/b/c/ws');
});

test('who comes back asks for exactly what was missed', async () => {
  const place = await inside();
  await comesBack();
  const asked = await sockets[1].answer('join', {
    room, messages: [said('2', 'bob', 'two'), said('3', 'bob', 'three')], more: false, gap: false,
  });
  assert.equal(asked.after, '1');
  assert.deepEqual(texts(place), ['one', 'two', 'three']);
});

test('a gap larger than an answer is asked for until it is filled', async () => {
  const place = await inside();
  await comesBack();
  await sockets[1].answer('join', { room, messages: [said('4', 'b', 'four')], more: true, gap: true });
  assert.equal((await sockets[1].answer('history', {
    messages: [said('3', 'b', 'three')], more: true,
  })).before, '4');
  assert.equal((await sockets[1].answer('history', {
    messages: [said('1', 'b', 'one'), said('2', 'b', 'two')], more: false,
  })).before, '3');
  assert.deepEqual(texts(place), ['one', 'two', 'three', 'four']);
  assert.ok(!place.timeline.entries.some((one) => one.kind === 'gap'));
});

test('a message that was not acknowledged is never sent again by itself', async () => {
  const place = await inside();
  session.outbox.say(place, 'did it arrive?');
  session.outbox.say(place, 'and this?');
  await comesBack();
  assert.deepEqual(place.waiting.map((one) => one.state), ['lost', 'lost']);
  await sockets[1].answer('join', {
    room, messages: [said('2', 'ann', 'did it arrive?')], more: false, gap: false,
  });
  await turn(60000);
  assert.ok(!sockets[1].sent.some((one) => one.type === 'say'));
  assert.deepEqual(place.waiting.map((one) => one.text), ['and this?']);
  assert.deepEqual(texts(place), ['one', 'did it arrive?']);
});

test('the nick is taken back once the lost connection has let go of it', async () => {
  await inside();
  await comesBack(null);
  for (const pause of [1000, 2000, 0]) {
    await sockets[1].refuse('hello', 'nick_in_use');
    await turn(pause);
  }
  await sockets[1].answer('hello', welcome('guest7'));
  await sockets[1].answer('join', { room, messages: [], more: false, gap: false });
  await turn(3000);
  await sockets[1].refuse('nick', 'nick_in_use');
  await turn(5000);
  await sockets[1].answer('nick', { nick: 'ann' });
  await sockets[1].tell({ type: 'renamed', nick: 'guest7', new_nick: 'ann' });
  assert.equal(places.me.nick, 'ann');
  await turn(600000);
  assert.equal(sockets[1].sent.filter((one) => one.type === 'nick').length, 2);
});

test('attempts go on for ever, later and later, and at once when the network is back', async () => {
  await inside();
  sockets[0].onclose();
  const begun = [];
  for (let i = 1; i < 9; i += 1) {
    while (sockets.length === i) await turn(100);
    begun.push(now);
    sockets[i].onclose();
  }
  const waits = begun.slice(1).map((time, i) => time - begun[i]);
  assert.ok(waits.every((wait, i) => wait >= 1000 && wait <= 30100 && wait >= (waits[i - 1] ?? 0)));
  session.connection.hurry();
  assert.equal(sockets.length, 10);
});

test('a server that is silent is asked, and left when it does not answer', async () => {
  await inside();
  await turn(31000);
  assert.equal(sockets[0].sent.at(-1).type, 'ping');
  await sockets[0].answer('ping', {});
  assert.ok(!sockets[0].closed);
  await turn(50000);
  assert.ok(sockets[0].closed);
  assert.equal(sockets.length, 2);
});

test('a first hello that is refused is told, and not repeated', async () => {
  session.enter({ nick: 'ann' });
  sockets[0].open();
  await sockets[0].refuse('hello', 'nick_in_use');
  await turn(120000);
  assert.deepEqual(heard.slice(-2), ['stopped', 'nick_in_use']);
  assert.equal(sockets.length, 1);
});

test('a message that came too fast, and was dropped, is told as not sent', async () => {
  const place = await inside();
  session.outbox.say(place, 'dropped');
  await sockets[0].tell({ type: 'refused', code: 'busy', text: 'too fast, and dropped', about: '' });
  await sockets[0].answer('ping', {});
  assert.deepEqual(place.waiting.map((one) => [one.state, one.why]), [
    ['refused', 'Too fast, and dropped.'],
  ]);
});

test('who was put out of a room is told so, and does not come back by itself', async () => {
  const place = await inside();
  await sockets[0].tell({ type: 'kicked', room: 'den', nick: 'ann', by: 'bob', reason: 'enough' });
  assert.ok(!place.inside);
  await comesBack();
  assert.ok(!sockets[1].sent.some((one) => one.type === 'join'));
});

test('a room that is renamed stays where it is, and is come into by its new name', async () => {
  const place = await inside();
  places.open('private', 'bob');
  const renamed = { type: 'room-renamed', room: 'den', new_room: 'Cave', by: 'bob', reason: '' };
  await sockets[0].tell(renamed);
  assert.equal(places.room('#cave'), place);
  assert.deepEqual([...places.all.keys()], ['#cave', '@bob']);
  await comesBack();
  assert.equal(sockets[1].sent.at(-1).room, 'Cave');
});

test('strangers with many nicks do not fill the page with conversations', async () => {
  await inside();
  for (let i = 0; i < 500; i += 1) {
    await sockets[0].tell({ type: 'message', id: `p${i}`, nick: `n${i}`, to: 'ann', text: 'hi' });
  }
  assert.equal(places.all.size, 101);
  assert.ok(places.all.has('@n499') && places.all.has('#den'));
});
