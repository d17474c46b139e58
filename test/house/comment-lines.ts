/** As wide as prettier lets code be. It leaves comments as they are. */
export const WIDEST_COMMENT = 120;

const WITH_COMMENT = /^\s*(\/\/|\/\*|\*(\s|\/|$))|\s\/\/\s/;
const BREAKABLE = /\S\s+\S/;

/** Numbers of the lines (from 1) whose comment goes beyond the width. A lone address of a page cannot be broken. */
export const wideCommentLines = (source: string): readonly number[] =>
  source.split('\n').flatMap((line, at) => {
    const isWide = line.length > WIDEST_COMMENT && WITH_COMMENT.test(line);
    const text = line.replace(/^\s*(\/\/|\/\*\*?|\*)?\s*/, '');
    return isWide && BREAKABLE.test(text) ? [at + 1] : [];
  });
