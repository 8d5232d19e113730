import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delay } from './backoff.js';
import { isSecret, parsed } from './commands.js';
import { COLOURS, colourOf, completions, initialOf, keyOf, mentions } from './nicks.js';
import { changed, refusal, told } from './words.js';

test('a slash command is read as on the line frontend', () => {
  const cases = {
    hello: { name: 'say', text: 'hello' },
    '//etc is full': { name: 'say', text: '/etc is full' },
    '/NICK bob': { name: 'nick', nick: 'bob' },
    '/join den key': { name: 'join', room: 'den', key: 'key' },
    '/me waves  twice': { name: 'me', text: 'waves  twice' },
    '/msg ann so do I': { name: 'msg', nick: 'ann', text: 'so do I' },
    '/topic': { name: 'topic', text: '' },
    '/kick bob too loud': { name: 'kick', nick: 'bob', reason: 'too loud' },
    '/ban *!*@10.*': { name: 'mode', mode: 'ban', on: true, about: '*!*@10.*' },
    '/unvoice bob': { name: 'mode', mode: 'voice', on: false, about: 'bob' },
    '/moderated on': { name: 'mode', mode: 'moderated', on: true },
    '/limit 5': { name: 'mode', mode: 'limit', on: true, about: '5' },
    '/key': { name: 'mode', mode: 'key', on: false },
    '/unlock': { name: 'mode', mode: 'topic-lock', on: false },
    '/login ann pass word ': { name: 'login', account: 'ann', password: 'pass word' },
  };
  for (const [line, wanted] of Object.entries(cases)) assert.deepEqual(parsed(line), wanted, line);
});

test('what is wrong with a command is said with the cure', () => {
  const cases = {
    '/nick': 'usage: /nick NICK',
    '/moderated maybe': 'usage: /moderated on|off',
    '/kik ann': 'there is no command /kik: did you mean /kick? A text begins with //',
    '/constructor': 'there is no command /constructor: /help lists them. A text begins with //',
    '/': 'there is no command /: did you mean /me? A text begins with //',
  };
  for (const [line, text] of Object.entries(cases)) {
    assert.deepEqual(parsed(line), { name: 'problem', text }, line);
  }
});

test('a line with a password is known as such', () => {
  for (const line of ['/login a b', '/LOGIN a', '/key x', '/join den k']) assert.ok(isSecret(line));
  for (const line of ['login a b', '/join den', '//login a']) assert.ok(!isSecret(line));
});

test('attempts to connect are 1 to 30 seconds apart, longer each time', () => {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const [least, most] = [delay(attempt, () => 0), delay(attempt, () => 0.999999)];
    assert.ok(least >= 1000 && most <= 30000 && least <= most);
    assert.ok(attempt === 0 || least < most, 'jitter');
  }
  assert.equal(delay(0, () => 0.5), 1000);
  assert.equal(delay(40, () => 1), 30000);
});

test('nicks are the same, and have one colour, whatever the case of ASCII', () => {
  assert.equal(keyOf('ÄNN'), 'Änn');
  assert.equal(colourOf('Ann'), colourOf('aNN'));
  const used = new Set(Array.from({ length: 200 }, (_, i) => colourOf(`guest${i}`)));
  assert.equal(used.size, COLOURS);
  assert.equal(initialOf('_ann'), 'A');
  assert.equal(initialOf('^^'), '^');
});

test('a mention is a word of its own', () => {
  for (const text of ['ann: hi', 'hi ANN!', '(ann)', '@ann']) assert.ok(mentions(text, 'ann'), text);
  for (const text of ['annual', 'joann', 'änn', 'ann_']) assert.ok(!mentions(text, 'ann'), text);
  assert.ok(mentions('hi [b]^-|', '[b]^-|'));
});

test('a nick is completed at the beginning with a colon, elsewhere without', () => {
  const nicks = ['Bob', 'ann', 'anna'];
  assert.deepEqual(completions('an', 2, nicks).words, ['ann: ', 'anna: ']);
  assert.deepEqual(completions('hi b', 4, nicks), { start: 3, end: 4, words: ['Bob '] });
  assert.equal(completions('hi ', 3, nicks), null);
  assert.equal(completions('x', 1, nicks), null);
});

test('what happens is one sentence, in which names cannot turn the text around', () => {
  assert.equal(told({ type: 'joined', nick: 'בוב' }), '\u2068בוב\u2069 joined');
  assert.match(told({ type: 'kicked', nick: 'b', by: null, reason: '' }), /by the server's operator$/);
  const change = { mode: 'ban', on: true, about: 'b!*@*' };
  assert.equal(changed('a', change), '\u2068b!*@*\u2069 was banned by \u2068a\u2069');
  assert.equal(refusal(new Error('no such room')), 'No such room.');
});
