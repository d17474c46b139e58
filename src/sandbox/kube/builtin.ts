import { BUILT_IN_COLUMNS, DEFAULT_COLUMNS } from './columns.ts';
import { crdDefaults, crdErrors } from './crd.ts';
import {
  cronJobDefaults,
  daemonSetDefaults,
  deploymentDefaults,
  fixedPodSpec,
  jobDefaults,
  namespaceDefaults,
  podDefaults,
  podStatusDefaults,
  replicaSetDefaults,
  secretDefaults,
  serviceDefaults,
  statefulSetDefaults,
} from './defaults.ts';
import {
  coreEventErrors,
  coreEventFields,
  coreEventView,
  eventsGroupErrors,
  eventsGroupFields,
  eventsGroupView,
} from './event-objects.ts';
import { arrayOf, equal, objectOf, stringOf, type ApiObject } from './json-values.ts';
import type { Kind, ScalePaths } from './served-kinds.ts';
import { fieldsAt } from './selectors.ts';
import { forbiddenValue, invalidValue, requiredValue, type FieldError } from './failure-status.ts';

const POD_FIELDS = fieldsAt(
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'status.phase',
  'status.podIP',
  'status.nominatedNodeName',
);

const SCALE: ScalePaths = { specReplicas: 'spec.replicas', statusReplicas: 'status.replicas' };

const POD_SPEC_FIXED =
  'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` (only additions to existing tolerations)';

const podErrors = (pod: ApiObject, current: ApiObject | undefined): FieldError[] => {
  const containers = arrayOf(pod.spec?.['containers']);
  if (containers.length === 0) return [requiredValue('spec.containers')];
  const errors = containers.flatMap((one, index) =>
    ['name', 'image']
      .filter((key) => stringOf(objectOf(one)[key]) === '')
      .map((key) => requiredValue(`spec.containers[${index}].${key}`)),
  );
  if (current !== undefined && !equal(fixedPodSpec(pod.spec), fixedPodSpec(current.spec)))
    errors.push(forbiddenValue('spec', POD_SPEC_FIXED));
  return errors;
};

const leaseErrors = ({ spec }: ApiObject): FieldError[] => {
  const seconds = spec?.['leaseDurationSeconds'];
  return typeof seconds === 'number' && seconds <= 0
    ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
    : [];
};

type Options = Partial<Omit<Kind, 'group' | 'version' | 'plural' | 'kind'>>;

const builtIn = (group: string, plural: string, kind: string, options: Options = {}): Kind => {
  const store = options.store ?? `${group}/${plural}`;
  return {
    group,
    version: 'v1',
    plural,
    kind,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    namespaced: true,
    shortNames: [],
    categories: [],
    store,
    status: undefined,
    keepsStatusOnCreate: false,
    scale: undefined,
    hasGeneration: false,
    schema: undefined,
    fields: {},
    columns: BUILT_IN_COLUMNS[store] ?? DEFAULT_COLUMNS,
    unconditionalUpdate: true,
    createOnUpdate: false,
    returnsDeleted: false,
    deleteCollection: true,
    ...options,
  };
};

const ALL = { categories: ['all'] };
const WORKLOAD: Options = { ...ALL, hasGeneration: true, status: 'labels' };
const CLUSTER: Options = { namespaced: false };
const RBAC = 'rbac.authorization.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io';

/** The kinds of Kubernetes itself that are served. `clusterIP` gives the next free address of a Service. */
export const builtInKinds = (clusterIP: () => string): Kind[] => [
  builtIn('', 'namespaces', 'Namespace', {
    ...CLUSTER,
    shortNames: ['ns'],
    status: 'spec',
    deleteCollection: false,
    fields: fieldsAt('status.phase'),
    prepare: namespaceDefaults,
  }),
  builtIn('', 'nodes', 'Node', {
    ...CLUSTER,
    shortNames: ['no'],
    status: 'spec',
    keepsStatusOnCreate: true,
    fields: fieldsAt('spec.unschedulable'),
  }),
  builtIn('', 'pods', 'Pod', {
    ...ALL,
    shortNames: ['po'],
    status: 'pod',
    hasGeneration: true,
    returnsDeleted: true,
    fields: POD_FIELDS,
    prepare: (pod, current) => {
      podDefaults(pod, current);
      podStatusDefaults(pod);
    },
    errors: podErrors,
  }),
  builtIn('', 'events', 'Event', {
    shortNames: ['ev'],
    fields: coreEventFields,
    createOnUpdate: true,
    view: coreEventView,
    errors: coreEventErrors,
  }),
  builtIn('events.k8s.io', 'events', 'Event', {
    shortNames: ['ev'],
    store: '/events',
    fields: eventsGroupFields,
    createOnUpdate: true,
    view: eventsGroupView,
    errors: eventsGroupErrors,
  }),
  builtIn('', 'configmaps', 'ConfigMap', { shortNames: ['cm'] }),
  builtIn('', 'secrets', 'Secret', { fields: fieldsAt('type'), prepare: secretDefaults }),
  // Nobody binds them here.
  builtIn('', 'persistentvolumeclaims', 'PersistentVolumeClaim', { shortNames: ['pvc'], status: 'spec' }),
  builtIn('', 'persistentvolumes', 'PersistentVolume', { ...CLUSTER, shortNames: ['pv'], status: 'spec' }),
  builtIn('', 'services', 'Service', {
    ...ALL,
    shortNames: ['svc'],
    status: 'spec',
    createOnUpdate: true,
    deleteCollection: false,
    prepare: serviceDefaults(clusterIP),
  }),
  builtIn('', 'endpoints', 'Endpoints', { shortNames: ['ep'], createOnUpdate: true }),
  builtIn('', 'serviceaccounts', 'ServiceAccount', { shortNames: ['sa'], returnsDeleted: true }),
  builtIn('apps', 'deployments', 'Deployment', {
    ...WORKLOAD,
    shortNames: ['deploy'],
    scale: SCALE,
    prepare: deploymentDefaults,
  }),
  builtIn('apps', 'replicasets', 'ReplicaSet', {
    ...WORKLOAD,
    status: 'spec',
    shortNames: ['rs'],
    scale: SCALE,
    fields: fieldsAt('status.replicas'),
    prepare: replicaSetDefaults,
  }),
  builtIn('apps', 'statefulsets', 'StatefulSet', {
    ...WORKLOAD,
    status: 'spec',
    shortNames: ['sts'],
    scale: SCALE,
    prepare: statefulSetDefaults,
  }),
  builtIn('apps', 'daemonsets', 'DaemonSet', {
    ...WORKLOAD,
    status: 'spec',
    shortNames: ['ds'],
    prepare: daemonSetDefaults,
  }),
  builtIn('batch', 'jobs', 'Job', {
    ...ALL,
    status: 'spec',
    fields: fieldsAt('status.successful'),
    prepare: jobDefaults,
  }),
  builtIn('batch', 'cronjobs', 'CronJob', {
    ...ALL,
    shortNames: ['cj'],
    status: 'spec',
    hasGeneration: true,
    prepare: cronJobDefaults,
  }),
  builtIn('coordination.k8s.io', 'leases', 'Lease', {
    createOnUpdate: true,
    unconditionalUpdate: false,
    errors: leaseErrors,
  }),
  builtIn('apiextensions.k8s.io', 'customresourcedefinitions', 'CustomResourceDefinition', {
    ...CLUSTER,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    status: 'custom',
    hasGeneration: true,
    unconditionalUpdate: false,
    prepare: crdDefaults,
    errors: crdErrors,
  }),
  builtIn(ADMISSION, 'mutatingwebhookconfigurations', 'MutatingWebhookConfiguration', {
    ...CLUSTER,
    categories: ['api-extensions'],
    hasGeneration: true,
  }),
  builtIn(ADMISSION, 'validatingwebhookconfigurations', 'ValidatingWebhookConfiguration', {
    ...CLUSTER,
    categories: ['api-extensions'],
    hasGeneration: true,
  }),
  builtIn(RBAC, 'clusterroles', 'ClusterRole', CLUSTER),
  builtIn(RBAC, 'clusterrolebindings', 'ClusterRoleBinding', CLUSTER),
  builtIn(RBAC, 'roles', 'Role'),
  builtIn(RBAC, 'rolebindings', 'RoleBinding'),
];
