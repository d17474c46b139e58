import { parse, type Comment } from 'acorn';

/** What is no comment to those who run the program, or whose licence asks for staying with the code. */
const STAYS = /^(?:#!|\/\/[#@] sourceMappingURL=|\/\*!)|@licen[cs]e|@preserve/iu;

const isStaying = (text: string, { start, end }: Comment): boolean => STAYS.test(text.slice(start, end));

/** As many lines as before, so that the places in stack traces and source maps stay true. */
const inPlaceOf = (comment: string): string => '\n'.repeat(comment.split('\n').length - 1) || ' ';

/**
 * The program without its comments. The source of each module stays in memory for as long as the process runs: half of
 * it is comments, and one character beyond Latin-1 in them makes it twice as long.
 *
 * @throws SyntaxError
 */
export const withoutComments = (text: string, isModule: boolean): string => {
  const comments: Comment[] = [];
  parse(text, {
    ecmaVersion: 'latest',
    sourceType: isModule ? 'module' : 'script',
    allowHashBang: true,
    allowReturnOutsideFunction: true,
    onComment: comments,
  });
  let code = '';
  let at = 0;
  for (const comment of comments) {
    if (isStaying(text, comment)) continue;
    code += text.slice(at, comment.start) + inPlaceOf(text.slice(comment.start, comment.end));
    at = comment.end;
  }
  return code + text.slice(at);
};
