import { objectOf, omit, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import { fieldsAt, type SelectableFields } from './selectors.ts';
import { invalidValue, notSupported, requiredValue, type FieldError } from './failure-status.ts';

/** core/v1 name → events.k8s.io/v1 name. Source: kubernetes pkg/apis/events/v1/conversion.go. */
const RENAMED: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
];

const rename = (object: JsonObject, pairs: Iterable<readonly [string, string]>): JsonObject => {
  const names = new Map(pairs);
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value]));
};

/** An event without the fields that its view adds when they are empty. */
const withoutEmpty = (event: JsonObject): JsonObject =>
  omit(
    event,
    ...Object.keys(event).filter(
      (key) =>
        event[key] === null ||
        event[key] === '' ||
        (key === 'source' && Object.keys(objectOf(event[key])).length === 0),
    ),
  );

/** Fields that Go's JSON always writes, because they are not marked omitempty. */
const CORE_ALWAYS = {
  source: {},
  firstTimestamp: null,
  lastTimestamp: null,
  eventTime: null,
  reportingComponent: '',
  reportingInstance: '',
};

/** The stored form is that of core/v1, without the fields that are empty. */
export const coreEventView = {
  toWire: (object: ApiObject): ApiObject => ({ ...CORE_ALWAYS, involvedObject: {}, ...object, apiVersion: 'v1' }),
  fromWire: (object: JsonObject): JsonObject => withoutEmpty(object),
};

/** The same events as events.k8s.io/v1 names them. */
export const eventsGroupView = {
  toWire: (object: ApiObject): ApiObject =>
    ({
      ...rename({ source: {}, firstTimestamp: null, lastTimestamp: null, eventTime: null, ...object }, RENAMED),
      apiVersion: 'events.k8s.io/v1',
    }) as ApiObject,
  fromWire: (object: JsonObject): JsonObject =>
    withoutEmpty(
      rename(
        object,
        RENAMED.map(([core, events]) => [events, core] as const),
      ),
    ),
};

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** Fields that events can be selected by in core/v1. Fields are read from the stored form. */
export const coreEventFields: SelectableFields = {
  ...fieldsAt(...INVOLVED.map((field) => `involvedObject.${field}`), 'reason', 'reportingComponent', 'type'),
  source: (event) => stringOf(objectOf(event['source'])['component']) || stringOf(event['reportingComponent']),
};

/** The same by the names of events.k8s.io/v1, which knows no others. */
export const eventsGroupFields: SelectableFields = {
  ...fieldsAt('reason', 'type'),
  reportingController: (event) => stringOf(event['reportingComponent']),
  ...Object.fromEntries(
    INVOLVED.map((field) => [
      `regarding.${field}`,
      (event: ApiObject) => stringOf(objectOf(event['involvedObject'])[field]),
    ]),
  ),
};

const namespaceErrors = (event: ApiObject): FieldError[] => {
  const namespace = stringOf(objectOf(event['involvedObject'])['namespace']) || 'default';
  return namespace === event.metadata.namespace
    ? []
    : [invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace')];
};

/** Events written through core/v1 are hardly checked. Source: kubernetes pkg/apis/core/validation/events.go. */
export const coreEventErrors = namespaceErrors;

/** Events written through events.k8s.io/v1 have to say who did what, when. */
export const eventsGroupErrors = (event: ApiObject, current: ApiObject | undefined): FieldError[] => {
  if (current !== undefined) return [];
  if (stringOf(event['eventTime']) === '') return [requiredValue('eventTime')];
  const errors = namespaceErrors(event);
  for (const [stored, field] of [
    ['reportingComponent', 'reportingController'],
    ['reportingInstance', 'reportingInstance'],
    ['action', 'action'],
    ['reason', 'reason'],
  ] as const)
    if (stringOf(event[stored]) === '') errors.push(requiredValue(field));
  if (event['type'] !== 'Normal' && event['type'] !== 'Warning')
    errors.push(notSupported('type', event['type'] ?? '', ['Normal', 'Warning']));
  return errors;
};
