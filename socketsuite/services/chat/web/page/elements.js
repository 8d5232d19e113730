// Makes elements of the document.  Texts are only ever texts: nothing here reads markup.

const SVG = 'http://www.w3.org/2000/svg';

// Return an element; *given* has attributes, and `on` for listeners by their events.
export function element(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(name, '');
    } else if (value !== false && value !== undefined && value !== null) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

// Return one of the pictures that the page holds.
export function icon(name) {
  const made = document.createElementNS(SVG, 'svg');
  made.setAttribute('class', 'icon');
  made.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  made.append(use);
  return made;
}

export function button(label, press, given = {}) {
  return element('button', { type: 'button', ...given, on: { click: press } }, label);
}

// Return a button that shows a picture, and has words for who does not see it.
export function iconButton(name, label, press, given = {}) {
  const more = { class: 'icon-button', 'aria-label': label, title: label, ...given };
  return element('button', { type: 'button', ...more, on: { click: press } }, icon(name));
}

// Return somebody's name, whose direction changes nothing around it.
export function nick(name) {
  return element('bdi', {}, name);
}

let numbered = 0;

// Return a field of a form with its label; *given* are the attributes of the input.
export function field(label, given = {}, hint = '') {
  numbered += 1;
  const id = `field-${numbered}`;
  const described = hint ? { 'aria-describedby': `${id}-hint` } : {};
  const input = element('input', { id, ...described, ...given });
  const made = element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    input,
    hint && element('p', { id: `${id}-hint`, class: 'hint' }, hint),
  );
  return { made, input };
}

// Return a switch with its label.
export function switchField(label, checked, changed, hint = '') {
  const input = element('input', {
    type: 'checkbox', role: 'switch', on: { change: () => changed(input.checked, input) },
  });
  input.checked = checked;
  const words = element('span', {}, label, hint && element('small', {}, hint));
  return { made: element('label', { class: 'switch' }, words, input), input };
}

// Draw what is in *box* anew by *work*; what had the focus there has it afterwards, too.  It is
// known by the *name* of its data, as in data-place, and by what is to be focused in there.
export function keepFocus(box, name, focusable, work) {
  const active = document.activeElement;
  const known = box.contains(active) && active.closest(`[data-${name}]`)?.dataset[name];
  work();
  if (!known || document.contains(active)) return;
  const now = box.querySelector(`[data-${name}="${CSS.escape(known)}"] ${focusable}`);
  now?.focus({ preventScroll: true });
}

// Have something done once in the next frame, however often it is asked for.
export function eachFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
