import { AGE, NAME, since } from './columns.ts';
import { arrayOf, at, isObject, objectOf, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import { jsonPathReader } from './jsonpath.ts';
import type { Column, Kind, ScalePaths } from './served-kinds.ts';
import type { StructuralSchema } from './crd-schema.ts';
import { invalidValue, requiredValue, type FieldError } from './failure-status.ts';

/** The store of CustomResourceDefinitions. */
export const CRD_STORE = 'apiextensions.k8s.io/customresourcedefinitions';

/** The finalizer that keeps a definition until its objects are gone. */
export const CRD_CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

const namesOf = (crd: ApiObject): JsonObject => objectOf(crd.spec?.['names']);

const strings = (value: unknown): string[] => arrayOf(value).filter((one): one is string => typeof one === 'string');

/** What the naming and the establishing controller fill in some moments after creation; here they are done with it. */
export const crdDefaults = (crd: ApiObject, current: ApiObject | undefined): void => {
  const names = namesOf(crd);
  const kind = stringOf(names['kind']);
  names['singular'] ??= kind.toLowerCase();
  names['listKind'] ??= `${kind}List`;
  crd.spec ??= {};
  crd.spec['conversion'] ??= { strategy: 'None' };
  const stored = arrayOf(crd.spec['versions'])
    .map((one) => objectOf(one))
    .find(({ storage }) => storage === true);
  const lastTransitionTime = crd.metadata.creationTimestamp;
  const conditions = current?.status?.['conditions'] ?? [
    {
      type: 'NamesAccepted',
      status: 'True',
      lastTransitionTime,
      reason: 'NoConflicts',
      message: 'no conflicts found',
    },
    {
      type: 'Established',
      status: 'True',
      lastTransitionTime,
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
    },
  ];
  if (current === undefined) crd.metadata.finalizers = [...new Set([...(crd.metadata.finalizers ?? []), CRD_CLEANUP])];
  crd.status = { ...current?.status, conditions, acceptedNames: names, storedVersions: [stringOf(stored?.['name'])] };
};

/** The checks that catch a definition that could not be served. Source: apiextensions-apiserver validation.go. */
export const crdErrors = (crd: ApiObject): FieldError[] => {
  const errors: FieldError[] = [];
  const plural = stringOf(namesOf(crd)['plural']);
  const group = stringOf(crd.spec?.['group']);
  if (group === '') errors.push(requiredValue('spec.group'));
  if (plural === '') errors.push(requiredValue('spec.names.plural'));
  if (stringOf(namesOf(crd)['kind']) === '') errors.push(requiredValue('spec.names.kind'));
  if (crd.metadata.name !== `${plural}.${group}`)
    errors.push(invalidValue('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  if (!['Namespaced', 'Cluster'].includes(stringOf(crd.spec?.['scope']))) errors.push(requiredValue('spec.scope'));
  const versions = arrayOf(crd.spec?.['versions']).map((one) => objectOf(one));
  if (versions.filter(({ storage }) => storage === true).length !== 1)
    errors.push(
      invalidValue('spec.versions', versions.length, 'must have exactly one version marked as storage version'),
    );
  versions.forEach((version, index) => {
    if (!isObject(at(version, 'schema', 'openAPIV3Schema')))
      errors.push(requiredValue(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'));
    arrayOf(version['additionalPrinterColumns']).forEach((column, place) => {
      const path = stringOf(objectOf(column)['jsonPath']);
      try {
        jsonPathReader(path);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        errors.push(invalidValue(`spec.versions[${index}].additionalPrinterColumns[${place}].jsonPath`, path, why));
      }
    });
  });
  return errors;
};

const printerColumn = (value: unknown): Column => {
  const { name, type, format, priority, description, jsonPath } = objectOf(value);
  const read = jsonPathReader(stringOf(jsonPath));
  return {
    name: stringOf(name),
    type: (type as Column['type'] | undefined) ?? 'string',
    ...(typeof format === 'string' ? { format } : {}),
    ...(typeof priority === 'number' ? { priority } : {}),
    ...(typeof description === 'string' ? { description } : {}),
    cell: (object, now) => {
      const cell = read(object);
      if (cell === undefined || cell === null) return null;
      if (type === 'date') return since(cell, now);
      return type === 'string' && typeof cell !== 'string' ? JSON.stringify(cell) : cell;
    },
  };
};

const scaleOf = (subresource: unknown): ScalePaths | undefined => {
  if (!isObject(subresource)) return undefined;
  const path = (key: string): string => stringOf(subresource[key]).replace(/^\./u, '');
  const selector = path('labelSelectorPath');
  return {
    specReplicas: path('specReplicasPath'),
    statusReplicas: path('statusReplicasPath'),
    ...(selector === '' ? {} : { selector }),
  };
};

/** The kinds that a definition serves: one for each version that is marked as served. */
export const kindsOf = (crd: ApiObject): Kind[] => {
  const names = namesOf(crd);
  const group = stringOf(crd.spec?.['group']);
  const plural = stringOf(names['plural']);
  return arrayOf(crd.spec?.['versions'])
    .map((one) => objectOf(one))
    .filter(({ served }) => served === true)
    .map((version) => {
      const schema: StructuralSchema = objectOf(at(version, 'schema', 'openAPIV3Schema'));
      const columns = arrayOf(version['additionalPrinterColumns']);
      return {
        group,
        version: stringOf(version['name']),
        plural,
        kind: stringOf(names['kind']),
        singular: stringOf(names['singular']),
        listKind: stringOf(names['listKind']),
        namespaced: crd.spec?.['scope'] === 'Namespaced',
        shortNames: strings(names['shortNames']),
        categories: strings(names['categories']),
        store: `${group}/${plural}`,
        status: isObject(at(version, 'subresources', 'status')) ? 'custom' : undefined,
        keepsStatusOnCreate: false,
        scale: scaleOf(at(version, 'subresources', 'scale')),
        hasGeneration: true,
        schema,
        fields: {},
        columns: [NAME, ...(columns.length === 0 ? [AGE] : columns.map((one) => printerColumn(one)))],
        unconditionalUpdate: false,
        createOnUpdate: false,
        returnsDeleted: false,
        deleteCollection: true,
      } satisfies Kind;
    });
};
