import { CloudFault } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';

/**
 * Has ECI delete something. Resolves once that was accepted, and also if there is no such thing. The API reference
 * lists no code for what does not exist, so any refusal is followed by a read, except for a throttled call, which says
 * nothing.
 *
 * @param find resolves to the thing, in a list, if it is there
 * @throws CloudFault the refusal, if the thing exists all the same, or cannot be read
 */
export const endAndLook = async (
  remove: () => Promise<void>,
  find: () => Promise<readonly unknown[]>,
): Promise<void> => {
  try {
    await remove();
  } catch (error) {
    if (!(error instanceof CloudFault)) throw error;
    const { effect, retry } = FAULT[error.kind];
    if (effect === 'absent') return;
    const isAnswered = error.status !== undefined && error.status < 500 && effect !== 'possible';
    if (!isAnswered || retry === 'throttle') throw error;
    const found = await find().catch(() => {
      throw error;
    });
    if (found.length > 0) throw error;
  }
};
