/** Gives a reader the text wherever somebody else than this product may have written it. */
export type Drive = (text: string) => unknown;

/** One of these for each field, in which it has the text. */
export const fieldsOf = <T extends object>(whole: T, text: string): T[] =>
  Object.keys(whole).map((key) => ({ ...whole, [key]: text }));

/** What the reader gives, or how it refuses. */
export const attempt = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    // A mistake of ours is none of the answers.
    if (error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError) throw error;
    return error;
  }
};
