import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Timeline } from './timeline.js';

const said = (...ids) => ids.map((id) => ({ id: String(id), kind: 'message', text: `${id}`, time: id }));
const shape = ({ entries }) =>
  entries.map((one) => (one.kind === 'gap' ? (one.lost ? 'lost' : 'gap') : one.id)).join(' ');

test('a message is there once, however often it is told', () => {
  const line = new Timeline();
  line.append(said(1, 2));
  assert.deepEqual(line.append(said(2, 3)).map((one) => one.id), ['3']);
  assert.equal(shape(line), '1 2 3');
  assert.equal(line.lastId, '3');
});

test('what was missed is put behind, with a gap only where something lacks', () => {
  const line = new Timeline();
  line.append(said(1, 2));
  line.appendMissed(said(3), false);
  assert.equal(shape(line), '1 2 3');
  line.appendMissed(said(2, 3, 4), true); // the one asked for was taken back; what is told overlaps
  assert.equal(shape(line), '1 2 3 4');
  line.appendMissed(said(8, 9), true);
  assert.equal(shape(line), '1 2 3 4 gap 8 9');
});

test('a gap is filled from behind, and goes when nothing lacks', () => {
  const line = new Timeline();
  line.append(said(1, 2));
  line.appendMissed(said(8, 9), true);
  const gap = line.entries[2];
  assert.equal(line.behind(gap), '8');
  line.fill(gap, said(6, 7), true);
  assert.equal(shape(line), '1 2 gap 6 7 8 9');
  assert.equal(line.behind(gap), '6');
  line.fill(gap, said(1, 2, 3, 4, 5), false);
  assert.equal(shape(line), '1 2 3 4 5 6 7 8 9');
});

test('a gap that the server cannot fill stays, and says so', () => {
  const line = new Timeline();
  line.append(said(1));
  line.appendMissed(said(8), true);
  line.fill(line.entries[1], said(6, 7), false);
  assert.equal(shape(line), '1 lost 6 7 8');
  line.appendMissed([], true); // nothing at all is kept
  assert.equal(shape(line), '1 lost 6 7 8 lost');
});

test('earlier messages come before, as far as there are some', () => {
  const line = new Timeline();
  line.append(said(5));
  line.prepend(said(3, 4), true);
  assert.ok(line.more);
  line.prepend(said(1, 2), false);
  assert.equal(shape(line), '1 2 3 4 5');
  assert.ok(!line.more);
});

test('no more is kept than its bound, and the first is forgotten', () => {
  const line = new Timeline(3);
  line.append(said(1, 2, 3, 4));
  assert.equal(shape(line), '2 3 4');
  assert.ok(line.more && line.full && !line.has('1'));
  line.append(said(1));
  assert.equal(line.lastId, '1');
  const long = new Timeline(10000);
  for (let id = 0; id < 25000; id += 1) long.append(said(id));
  assert.ok(long.entries.length <= 10100);
});

test('a message that is taken back has no text any more, and is not asked behind', () => {
  const line = new Timeline();
  line.append(said(1, 2));
  assert.equal(line.redact('2', 'ann', '').text, '');
  assert.equal(line.lastId, '1');
  assert.equal(line.redact('7', 'ann', ''), undefined);
});

test('people who come and go share a line', () => {
  const line = new Timeline();
  line.note('presence', 'ann joined', 1);
  assert.ok(line.note('presence', 'bob joined', 2).grown);
  assert.ok(!line.note('event', 'a topic', 3).grown);
  assert.equal(line.entries.length, 2);
});
