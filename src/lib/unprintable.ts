import { inspect } from 'node:util';

const SHOWN = '[secret]';

/** What may be used and never shown: as a text, as JSON and to `util.inspect` it is `[secret]`. */
export abstract class Unprintable {
  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
