// Dialogs: what all of them have in common, and those that only ask.
//
// The browser's own dialog keeps the focus inside, closes at Escape, and gives the focus back.

import { button, element, iconButton } from './elements.js';
import { refusal } from './words.js';

let numbered = 0;

// Show a dialog; returns { close, problem }.  *made* is given those, and returns its content.  One
// for *reading* has nothing in it to step to, and is scrolled by the arrow keys.
export function dialog(title, made, { classes = '', reading = false } = {}) {
  numbered += 1;
  const id = `dialog-${numbered}`;
  const box = element('dialog', { class: classes, 'aria-labelledby': id });
  const trouble = element('p', { class: 'problem', role: 'alert' });
  const handle = {
    box,
    close: () => box.close(),
    problem: (error) => {
      trouble.textContent = error ? refusal(error) : '';
      if (error) trouble.scrollIntoView({ block: 'nearest' });
    },
  };
  const heading = element('h2', { id, dir: 'auto' }, title);
  const close = iconButton('close', 'Close', handle.close);
  const head = element('header', {}, heading, close);
  const content = [made(handle)].flat().filter(Boolean);
  const reads = reading ? { tabindex: '0', role: 'group', 'aria-labelledby': id } : {};
  box.append(head, element('div', { class: 'content', ...reads }, ...content, trouble));
  box.addEventListener('click', (event) => event.target === box && box.close());
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
  return handle;
}

// Return a form that does *work* when it is sent; what is refused is told in the dialog.
export function form(handle, fields, label, work, { stay = false, danger = false } = {}) {
  const classes = stay ? 'quiet' : danger ? 'primary danger' : 'primary';
  const send = element('button', { type: 'submit', class: classes }, label);
  const made = element('form', { class: stay ? 'inline' : '' }, ...fields, element('p', { class: 'actions' }, send));
  made.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await attempt(handle, work, send)) if (!stay) handle.close();
  });
  return made;
}

// Do *work*; return whether it was done.  What is refused is told in the dialog.
export async function attempt(handle, work, pressed) {
  handle.problem(null);
  if (pressed) pressed.disabled = true;
  try {
    await work();
    return true;
  } catch (error) {
    handle.problem(error);
    return false;
  } finally {
    if (pressed) pressed.disabled = false;
  }
}

// Ask before something is done.
export function confirm(title, text, label, work, { classes = 'danger' } = {}) {
  return dialog(title, (handle) => [
    element('p', { dir: 'auto' }, text),
    element(
      'p',
      { class: 'actions' },
      button('Cancel', handle.close, { class: 'quiet' }),
      button(
        label,
        async (event) => {
          if (await attempt(handle, work, event.currentTarget)) handle.close();
        },
        { class: `primary ${classes}`, autofocus: true },
      ),
    ),
  ]);
}
