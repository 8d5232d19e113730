// Keys that work everywhere on the page.

// *areas*: functions that give the focus to an area and return whether they could, in order;
// *on*: step(by), nextUnread(), escape().
export function listen(areas, on) {
  document.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]')) return;
    if (event.key === 'F6') {
      event.preventDefault();
      move(areas, event.shiftKey ? -1 : 1);
    } else if (event.altKey && !event.ctrlKey && /^Arrow(Up|Down)$/.test(event.key)) {
      event.preventDefault();
      if (event.shiftKey) on.nextUnread();
      else on.step(event.key === 'ArrowUp' ? -1 : 1);
    } else if (event.key === 'Escape') {
      on.escape();
    }
  });
}

function move(areas, by) {
  const place = areas.findIndex(({ box }) => box.contains(document.activeElement));
  for (let step = 1; step <= areas.length; step += 1) {
    const next = areas[(Math.max(place, 0) + by * step + areas.length * step) % areas.length];
    if (next.focus()) return;
  }
}
