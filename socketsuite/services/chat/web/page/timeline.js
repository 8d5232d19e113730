// What was said in one place, in its order: messages, notes of what happened, and gaps.
//
// A gap is where messages are missing that were said while the connection was lost.  It is known
// to be filled when what is loaded reaches a message from before it.  This module must not know
// the document, nor how messages are asked for.

export const MOST = 10000;

export class Timeline {
  #ids = new Map();
  #notes = 0;

  constructor(most = MOST) {
    this.most = most;
    this.entries = [];
    this.more = false; // whether the server has earlier ones
  }

  has(id) {
    return this.#ids.has(id);
  }

  get(id) {
    return this.#ids.get(id);
  }

  // The id of the last message that can be asked behind.
  get lastId() {
    const last = this.entries.findLast((one) => one.kind === 'message' && !one.removed);
    return last?.id;
  }

  get firstId() {
    return this.entries.find((one) => one.kind === 'message' && !one.removed)?.id;
  }

  // The last gap that the server may fill.
  get openGap() {
    return this.entries.findLast((one) => one.kind === 'gap' && !one.lost);
  }

  // Whether no earlier messages are taken any more.
  get full() {
    return this.entries.length >= this.most;
  }

  // Add what was said now; return the entries that are new.
  append(messages) {
    const fresh = this.#fresh(messages);
    this.entries.push(...fresh);
    this.#trim();
    return fresh;
  }

  // Add what was missed, as the server told it when one came in again.
  appendMissed(messages, gap) {
    const overlaps = messages.some((one) => this.has(one.id));
    if (gap && !overlaps && this.#ids.size) {
      const time = this.entries.at(-1)?.time; // when it begins
      this.#push({ kind: 'gap', key: this.#noteKey(), time, lost: messages.length === 0 });
    }
    return this.append(messages);
  }

  // Add what was said before everything that is here.
  prepend(messages, more) {
    const fresh = this.#fresh(messages);
    this.entries.unshift(...fresh);
    this.more = more;
    return fresh;
  }

  // The id of the first message behind a gap; what came before that one may fill it.
  behind(gap) {
    const place = this.entries.indexOf(gap);
    const next = this.entries.slice(place + 1);
    return next.find((one) => one.kind === 'message' && !one.removed)?.id;
  }

  // Fill a gap with what came before the first message behind it; it goes when nothing lacks.
  fill(gap, messages, more) {
    const overlaps = messages.some((one) => this.has(one.id));
    const fresh = this.#fresh(messages);
    const place = this.entries.indexOf(gap);
    this.entries.splice(place + 1, 0, ...fresh);
    if (overlaps) this.entries.splice(place, 1);
    else if (!more) gap.lost = true;
    this.#trim();
    return fresh;
  }

  // Say that what lacks at a gap is not kept any more.
  giveUp(gap) {
    gap.lost = true;
  }

  // Add a line about what happened.  People who come and go share one.
  note(sort, text, time) {
    const last = this.entries.at(-1);
    if (sort === 'presence' && last?.sort === 'presence' && last.texts.length < 8) {
      last.texts.push(text);
      return { entry: last, grown: true };
    }
    const entry = { kind: 'note', key: this.#noteKey(), sort, time, texts: [text] };
    this.#push(entry);
    return { entry, grown: false };
  }

  // Take a message back; return its entry, if it is here.
  redact(id, by, reason) {
    const entry = this.#ids.get(id);
    if (!entry) return undefined;
    entry.removed = { by, reason };
    entry.text = '';
    return entry;
  }

  #push(entry) {
    this.entries.push(entry);
    this.#trim();
  }

  #noteKey() {
    this.#notes += 1;
    return `note-${this.#notes}`;
  }

  #fresh(messages) {
    const fresh = [];
    for (const said of messages) {
      if (this.#ids.has(said.id)) continue;
      const entry = { ...said, kind: 'message', style: said.kind, key: said.id };
      this.#ids.set(said.id, entry);
      fresh.push(entry);
    }
    return fresh;
  }

  #trim() {
    const over = this.entries.length - this.most;
    // A few at once: each time moves everything.
    if (over <= 0 || (over < 100 && this.most > 1000 && over < this.most / 100)) return;
    for (const gone of this.entries.splice(0, over)) this.#ids.delete(gone.id);
    this.more = true;
  }
}
