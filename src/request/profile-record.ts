import { ECI_PROFILE, ECI_PROFILE_LEFT_OUT, PROFILE_NAME } from '../api/annotations.ts';

const MOST_SAID = 300;

/**
 * What the eci-profile has added to a pod, as a sentence, for those who are told of something that they did not write;
 * undefined where it has added nothing. Whoever may write the pod may write the record: it is shown, and believed by
 * nobody.
 */
export const profileRecord = (annotations: Readonly<Record<string, string>> | undefined): string | undefined => {
  const record = annotations && Object.hasOwn(annotations, ECI_PROFILE) ? annotations[ECI_PROFILE] : undefined;
  return record === undefined
    ? undefined
    : `The ConfigMap ${PROFILE_NAME} has added to this pod: ${record.slice(0, MOST_SAID)}`;
};

/**
 * Which selectors of the eci-profile were left out when the pod was made, as a sentence; undefined where none was.
 * Believed by nobody, too.
 */
export const profileLeftOut = (annotations: Readonly<Record<string, string>> | undefined): string | undefined => {
  const left =
    annotations && Object.hasOwn(annotations, ECI_PROFILE_LEFT_OUT) ? annotations[ECI_PROFILE_LEFT_OUT] : undefined;
  return left === undefined
    ? undefined
    : `selectors of the ConfigMap ${PROFILE_NAME} were left out: ${left.slice(0, MOST_SAID)}`;
};
