// What one says: it waits in its place until the server has acknowledged it.
//
// What was lost on its way may have arrived.  It is never said again unasked; whether it has
// arrived, what was missed tells.  This module must not know the document.

import { refusal } from './words.js';

export class Outbox {
  // *ask* sends a request, and returns a promise of its answer.
  constructor(ask, places) {
    this.ask = ask;
    this.places = places;
  }

  // Say a text in a place.
  async say(place, text, kind = 'message') {
    const said = { text, kind, state: 'sending', time: Date.now() };
    place.waiting.push(said);
    this.places.changed('waiting', place);
    const where = place.kind === 'room' ? { room: place.name } : { to: place.name };
    try {
      const { message } = await this.ask('say', { ...where, text, kind });
      this.forget(place, said);
      this.places.hear(message);
    } catch (error) {
      said.state = error.lost ? 'lost' : 'refused';
      said.why = error.lost ? '' : refusal(error);
      this.places.changed('waiting', place);
    }
  }

  forget(place, said) {
    place.waiting = place.waiting.filter((one) => one !== said);
    this.places.changed('waiting', place);
  }

  // What was not acknowledged, and is one's own among what was missed, has arrived.
  confirm(place, messages, isMine) {
    for (const one of messages) {
      if (!isMine(one) || place.timeline.has(one.id)) continue;
      const arrived = place.waiting.find(
        (said) => said.state === 'lost' && said.text === one.text && said.kind === one.kind,
      );
      if (arrived) this.forget(place, arrived);
    }
  }
}
