// How one entry of a conversation looks: a message, a note, a gap, or what is not sent yet.

import { button, element, iconButton, nick } from './elements.js';
import { pieces } from './links.js';
import { colourOf, initialOf } from './nicks.js';
import * as words from './words.js';

const TOGETHER = 5 * 60 * 1000; // messages of one person within it have one heading

// Return the element of an entry, which stands behind *previous*.
export function entryElement(entry, previous, { fill, isNew }) {
  const made = element('div', { class: 'entry', 'data-key': entry.key });
  if (entry.time && !(previous?.time && words.isSameDay(previous.time, entry.time))) {
    made.append(element('p', { class: 'line day' }, element('span', {}, words.day(entry.time))));
  }
  if (isNew) made.append(element('p', { class: 'line new' }, element('span', {}, 'New')));
  if (entry.kind === 'gap') made.append(gap(entry, fill));
  else if (entry.kind === 'note') made.append(note(entry));
  else made.append(message(entry, follows(entry, previous) && !isNew));
  return made;
}

function follows(entry, previous) {
  return (
    previous?.kind === 'message' &&
    previous.nick === entry.nick &&
    entry.style === 'message' &&
    previous.style === 'message' &&
    entry.time - previous.time < TOGETHER &&
    words.isSameDay(entry.time, previous.time)
  );
}

function note(entry) {
  const text = entry.texts.join(' · ');
  return element('p', { class: `note ${entry.sort}`, title: words.wholeTime(entry.time) }, text);
}

function gap(entry, fill) {
  if (entry.lost) {
    const text = 'Messages may be missing here; the server does not keep them any more.';
    return element('p', { class: 'gap' }, text);
  }
  if (entry.filling) return element('p', { class: 'gap' }, 'Loading what was missed …');
  const load = button('Load them', () => fill(entry, load), { class: 'small' });
  return element('p', { class: 'gap' }, 'Messages are missing here. ', load);
}

function time(when) {
  const given = { datetime: new Date(when).toISOString(), title: words.wholeTime(when) };
  return element('time', given, words.clock(when));
}

function message(entry, following) {
  const kind = entry.removed ? 'removed' : entry.style;
  const classes = ['message', kind, following && 'following', entry.own && 'own'];
  if (entry.named) classes.push('named');
  const colour = `nick-${colourOf(entry.nick)}`;
  const body = element('div', { class: 'body' });
  if (following || kind === 'emote') {
    body.append(time(entry.time));
    if (following) body.append(element('span', { class: 'unseen' }, nick(entry.nick), ': '));
  } else {
    body.append(heading(entry, colour));
  }
  body.append(element('p', { class: 'text', dir: 'auto' }, ...said(entry, colour)));
  const picture =
    !following && kind !== 'emote'
      ? element('span', { class: `picture ${colour}`, 'aria-hidden': 'true' }, initialOf(entry.nick))
      : null;
  return element('div', { class: classes.filter(Boolean).join(' '), tabindex: '-1' }, picture, body);
}

function heading(entry, colour) {
  const name = button(nick(entry.nick), () => {}, {
    class: `name ${colour}`, tabindex: '-1', 'data-nick': entry.nick,
  });
  const badges = [];
  if (entry.style === 'notice') badges.push(element('span', { class: 'badge' }, 'notice'));
  if (entry.status) {
    const who = entry.status === 'operator' ? 'to operators' : 'to voices';
    badges.push(element('span', { class: 'badge' }, who));
  }
  return element('p', { class: 'heading' }, name, ...badges, time(entry.time));
}

function said(entry, colour) {
  if (entry.removed) {
    const { by, reason } = entry.removed;
    return ['Taken back by ', nick(by), reason ? `: ${reason}` : ''];
  }
  const text = linked(entry.text);
  if (entry.style !== 'emote') return text;
  return [element('strong', { class: colour }, nick(entry.nick)), ' ', ...text];
}

// Return a text's pieces, links being links.
export function linked(text) {
  return pieces(text).map(({ text: shown, address }) => {
    if (address === undefined) return shown;
    const rel = 'noopener noreferrer nofollow';
    return element('a', { href: address, target: '_blank', rel, dir: 'auto' }, shown);
  });
}

// Return what one has said and the server has not acknowledged.
export function waitingElement(said, { again, edit, discard }) {
  const text = element('p', { class: 'text', dir: 'auto' }, said.text);
  const body = element('div', { class: 'body' }, text);
  if (said.state === 'sending') {
    body.append(element('p', { class: 'state' }, 'Sending …'));
  } else {
    const why =
      said.state === 'lost'
        ? 'Not sent: the connection was lost before the server confirmed it.'
        : `Not sent. ${said.why}`;
    body.append(
      element('p', { class: 'state' }, why),
      element(
        'p',
        { class: 'actions' },
        button('Send again', () => again(said), { class: 'small' }),
        button('Edit', () => edit(said), { class: 'small quiet' }),
        button('Discard', () => discard(said), { class: 'small quiet' }),
      ),
    );
  }
  return element('div', { class: `message waiting ${said.state}` }, body);
}

// Return the button that takes a message back, which stands in it while it is looked at.
export function redactButton(redact) {
  return iconButton('remove', 'Take this message back', redact, { class: 'icon-button redact' });
}
