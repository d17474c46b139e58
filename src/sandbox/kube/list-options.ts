import { forbiddenValue, invalid, notSupported, type FieldError } from './failure-status.ts';

const MATCH = 'resourceVersionMatch';
const NOT_OLDER = 'NotOlderThan';
const EXACT = 'Exact';

/** What of a query goes together only in some ways. */
interface ListQuery {
  /** Whether a watch begins with what is there; undefined where the query does not say. */
  readonly sendInitialEvents: boolean | undefined;
}

const listErrors = (query: URLSearchParams, match: string, initial: boolean | undefined): FieldError[] => {
  const version = query.get('resourceVersion') ?? '';
  const errors: FieldError[] = [];
  if (match !== '') {
    if (version === '') errors.push(forbiddenValue(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`));
    if (query.get('continue')) errors.push(forbiddenValue(MATCH, `${MATCH} is forbidden when continue is provided`));
    if (match !== EXACT && match !== NOT_OLDER) errors.push(notSupported(MATCH, match, [EXACT, NOT_OLDER, '']));
    if (match === EXACT && version === '0')
      errors.push(forbiddenValue(MATCH, `${MATCH} "exact" is forbidden for resourceVersion "0"`));
  }
  if (initial !== undefined)
    errors.push(forbiddenValue('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  return errors;
};

const watchErrors = (query: URLSearchParams, match: string, initial: boolean | undefined): FieldError[] => {
  const errors: FieldError[] = [];
  if (initial !== undefined && match !== NOT_OLDER)
    errors.push(forbiddenValue(MATCH, `sendInitialEvents requires setting ${MATCH} to ${NOT_OLDER}`));
  if (match !== '') {
    if (initial === undefined)
      errors.push(forbiddenValue(MATCH, `${MATCH} is forbidden for watch unless sendInitialEvents is provided`));
    if (match !== NOT_OLDER) errors.push(notSupported(MATCH, match, [NOT_OLDER]));
    if (query.get('continue')) errors.push(forbiddenValue(MATCH, `${MATCH} is forbidden when continue is provided`));
  }
  return errors;
};

/**
 * Reads the options of a list or a watch; throws 422 where they contradict each other.
 * Source: ValidateListOptions in apimachinery pkg/apis/meta/internalversion/validation.
 */
export const checkedOptions = (query: URLSearchParams, isWatch: boolean): ListQuery => {
  const said = query.get('sendInitialEvents');
  // Source: apimachinery pkg/runtime Convert_Slice_string_To_bool.
  const sendInitialEvents = said === null ? undefined : !['false', '0'].includes(said.toLowerCase());
  const match = query.get(MATCH) ?? '';
  const errors = (isWatch ? watchErrors : listErrors)(query, match, sendInitialEvents);
  if (errors.length > 0) throw invalid('meta.k8s.io', 'ListOptions', '', errors);
  return { sendInitialEvents };
};
