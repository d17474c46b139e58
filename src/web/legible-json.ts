import { legible } from '../lib/text.ts';

/** JSON whose texts show what they say, whoever wrote them. */
export const jsonOf = (body: unknown): string =>
  JSON.stringify(body, (_, value: unknown) => (typeof value === 'string' ? legible(value) : value));
