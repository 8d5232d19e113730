import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pieces, safeAddress } from './links.js';

const links = (text) => pieces(text).filter((one) => one.address).map((one) => one.text);

test('what is said around a link is none of it', () => {
  const cases = {
    'see https://a.example/b.': ['https://a.example/b'],
    '(https://a.example/b)': ['https://a.example/b'],
    'https://a.example/b_(c)': ['https://a.example/b_(c)'],
    '[https://a.example/b_(c)], and': ['https://a.example/b_(c)'],
    '"https://a.example/", he said': ['https://a.example/'],
    '<https://a.example/>': ['https://a.example/'],
    'https://a.example/?q=1&r=%20#f!!': ['https://a.example/?q=1&r=%20#f'],
    '见https://a.example/路。然后': [],
    '见 https://a.example/路。然后': ['https://a.example/路'],
    'http://a.example, https://b.example; mailto:ann@c.example?': [
      'http://a.example', 'https://b.example', 'mailto:ann@c.example',
    ],
    'HTTPS://A.EXAMPLE': ['HTTPS://A.EXAMPLE'],
  };
  for (const [text, wanted] of Object.entries(cases)) assert.deepEqual(links(text), wanted, text);
});

test('nothing but http, https and mailto is a link', () => {
  const texts = [
    'javascript:alert(1)', 'java\u0000script:alert(1)', 'data:text/html,<script>', 'vbscript:x',
    'file:///etc/passwd', 'ftp://a.example', 'xhttps://a.example', 'https://', 'http:// a',
    'mailto:', 'mailto:a b@c', 'https://[::1', 'https:a.example',
  ];
  for (const text of texts) assert.deepEqual(links(text), [], text);
});

test('a host that is not what it reads like is no link', () => {
  assert.equal(safeAddress('https://bank.example@evil.example/'), null);
  assert.equal(safeAddress('https://bank.example:x@evil.example/'), null);
  assert.deepEqual(links('https://a\u200b.example'), ['https://a']);
  assert.deepEqual(links('https://a.example/\u202eexe.txt'), ['https://a.example/']);
});

test('names of other scripts are shown as they are written', () => {
  const [piece] = pieces('https://bücher.example/ä');
  assert.deepEqual(piece, {
    text: 'https://bücher.example/ä', address: 'https://xn--bcher-kva.example/%C3%A4',
  });
});

test('the pieces of a text are the whole text', () => {
  const alphabet = ['https://a.example', ' ', '(', ')', '.', 'x', '<', 'mailto:a@b.c', '\u202e', 'ש'];
  let seed = 1;
  const next = () => (seed = (seed * 48271) % 2147483647);
  for (let turn = 0; turn < 2000; turn += 1) {
    const text = Array.from({ length: 12 }, () => alphabet[next() % alphabet.length]).join('');
    assert.equal(pieces(text).map((one) => one.text).join(''), text);
  }
});

test('a long text is looked through in no time', () => {
  const begun = process.cpuUsage();
  for (const text of ['https://'.repeat(500), `https://a.example/${')'.repeat(4000)}`]) pieces(text);
  assert.ok(process.cpuUsage(begun).user < 500_000); // microseconds, however busy the machine
});
