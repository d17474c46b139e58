import type { CloudAction } from '../api-actions.ts';
import { CloudFault } from '../fault.ts';
import { printable } from './redact.ts';

const ID = /^[\w-]{1,128}$/u;
const CLIENT_TOKEN = /^[\x21-\x7e]{1,64}$/u;

/** A request that is refused here, because it could not mean what it says. */
export const refuse = (action: CloudAction, text: string): CloudFault =>
  new CloudFault({
    kind: 'refused',
    action,
    code: 'InvalidParameter.Local',
    message: `${action}: ${text}; nothing was sent`,
  });

/** Answers that contradict each other: the list is read again later. */
export const inconsistent = (action: CloudAction, text: string): CloudFault =>
  new CloudFault({ kind: 'later', action, code: 'InconsistentPages', message: `${action}: ${text}` });

/**
 * IDs reach the wire in comma lists, so that none may have a comma in it; tokens are ASCII, at most 64.
 *
 * @throws CloudFault of kind `refused`
 */
export const check = (action: CloudAction, ids: readonly string[], clientToken?: string): void => {
  for (const id of ids) {
    if (!ID.test(id)) throw refuse(action, `${JSON.stringify(printable(id, 60))} is not an ID`);
  }
  if (clientToken !== undefined && !CLIENT_TOKEN.test(clientToken)) {
    throw refuse(action, 'the client token is not 1–64 printable ASCII characters');
  }
};
