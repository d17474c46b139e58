import { arrayOf, isObject, objectOf, omit, stringOf, type ApiObject, type JsonObject } from './json-values.ts';

/** Sets a field that is absent. */
const ensure = (object: JsonObject, key: string, value: unknown): void => {
  if (object[key] === undefined) object[key] = value;
};

const ensureObject = (object: JsonObject, key: string): JsonObject => {
  if (!isObject(object[key])) object[key] = {};
  return object[key] as JsonObject;
};

const usesLatest = (image: string): boolean => {
  if (image.includes('@')) return false;
  const name = image.slice(image.lastIndexOf('/') + 1);
  return !name.includes(':') || name.endsWith(':latest');
};

const containerDefaults = (container: JsonObject): void => {
  ensure(container, 'resources', {});
  ensure(container, 'terminationMessagePath', '/dev/termination-log');
  ensure(container, 'terminationMessagePolicy', 'File');
  ensure(container, 'imagePullPolicy', usesLatest(stringOf(container['image'])) ? 'Always' : 'IfNotPresent');
  for (const port of arrayOf(container['ports'])) if (isObject(port)) ensure(port, 'protocol', 'TCP');
};

/** Defaults of a pod spec, also within a template. Source: kubernetes pkg/apis/core/v1/defaults.go. */
const podSpecDefaults = (spec: JsonObject): void => {
  for (const container of [...arrayOf(spec['initContainers']), ...arrayOf(spec['containers'])])
    if (isObject(container)) containerDefaults(container);
  ensure(spec, 'restartPolicy', 'Always');
  ensure(spec, 'terminationGracePeriodSeconds', 30);
  ensure(spec, 'dnsPolicy', 'ClusterFirst');
  ensure(spec, 'securityContext', {});
  ensure(spec, 'schedulerName', 'default-scheduler');
  // The deprecated twin is written beside the name.
  if (spec['serviceAccountName'] !== undefined) spec['serviceAccount'] = spec['serviceAccountName'];
};

const EVICTED_AFTER_SECONDS = 300;

const qosClass = (spec: JsonObject): string => {
  const resources = arrayOf(spec['containers']).map((one) => objectOf(objectOf(one)['resources']));
  const named = resources.filter(
    (one) => Object.keys(objectOf(one['requests'])).length + Object.keys(objectOf(one['limits'])).length > 0,
  );
  if (named.length === 0) return 'BestEffort';
  const guaranteed = resources.every((one) => {
    const limits = objectOf(one['limits']);
    const requests = { ...limits, ...objectOf(one['requests']) };
    return ['cpu', 'memory'].every((name) => limits[name] !== undefined && limits[name] === requests[name]);
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
};

/** Defaults of a pod, with those of the admission plugins Priority and DefaultTolerationSeconds. */
export const podDefaults = (pod: ApiObject, current: ApiObject | undefined): void => {
  const spec = ensureObject(pod, 'spec');
  podSpecDefaults(spec);
  ensure(spec, 'enableServiceLinks', true);
  if (current !== undefined) return;
  ensure(spec, 'priority', 0);
  ensure(spec, 'preemptionPolicy', 'PreemptLowerPriority');
  const tolerations = [...arrayOf(spec['tolerations'])];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'])
    if (
      !tolerations.some(
        (one) =>
          [key, undefined].includes(objectOf(one)['key'] as string | undefined) &&
          ['NoExecute', undefined].includes(objectOf(one)['effect'] as string | undefined),
      )
    )
      tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: EVICTED_AFTER_SECONDS });
  spec['tolerations'] = tolerations;
  pod.status = { phase: 'Pending', qosClass: qosClass(spec) };
};

/** Defaults of pod conditions: the two times are always there, if only as null. */
export const podStatusDefaults = (pod: ApiObject): void => {
  for (const condition of arrayOf(pod.status?.['conditions']))
    if (isObject(condition)) {
      ensure(condition, 'lastProbeTime', null);
      ensure(condition, 'lastTransitionTime', null);
    }
};

/** Defaults of the kinds that have a pod template. `replicas` is set where the kind scales. */
const workloadDefaults =
  (extra: (spec: JsonObject) => void) =>
  (object: ApiObject): void => {
    const spec = ensureObject(object, 'spec');
    const template = ensureObject(spec, 'template');
    podSpecDefaults(ensureObject(template, 'spec'));
    extra(spec);
    object.status ??= {};
  };

export const deploymentDefaults = workloadDefaults((spec) => {
  ensure(spec, 'replicas', 1);
  ensure(spec, 'strategy', {});
  const strategy = objectOf(spec['strategy']);
  ensure(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate')
    ensure(strategy, 'rollingUpdate', { maxUnavailable: '25%', maxSurge: '25%' });
  ensure(spec, 'revisionHistoryLimit', 10);
  ensure(spec, 'progressDeadlineSeconds', 600);
});

export const replicaSetDefaults = workloadDefaults((spec) => ensure(spec, 'replicas', 1));

export const statefulSetDefaults = workloadDefaults((spec) => {
  ensure(spec, 'replicas', 1);
  ensure(spec, 'podManagementPolicy', 'OrderedReady');
  ensure(spec, 'updateStrategy', { type: 'RollingUpdate', rollingUpdate: { partition: 0 } });
  ensure(spec, 'revisionHistoryLimit', 10);
});

export const daemonSetDefaults = workloadDefaults((spec) => {
  ensure(spec, 'updateStrategy', { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } });
  ensure(spec, 'revisionHistoryLimit', 10);
});

export const jobDefaults = workloadDefaults((spec) => {
  ensure(spec, 'parallelism', 1);
  ensure(spec, 'completions', 1);
  ensure(spec, 'backoffLimit', 6);
});

export const cronJobDefaults = (cronJob: ApiObject): void => {
  const spec = ensureObject(cronJob, 'spec');
  const job = ensureObject(ensureObject(spec, 'jobTemplate'), 'spec');
  podSpecDefaults(ensureObject(ensureObject(job, 'template'), 'spec'));
  ensure(spec, 'concurrencyPolicy', 'Allow');
  ensure(spec, 'suspend', false);
  ensure(spec, 'successfulJobsHistoryLimit', 3);
  ensure(spec, 'failedJobsHistoryLimit', 1);
  cronJob.status ??= {};
};

/** `clusterIP` gives the next free address. */
export const serviceDefaults =
  (clusterIP: () => string) =>
  (service: ApiObject, current: ApiObject | undefined): void => {
    const spec = ensureObject(service, 'spec');
    ensure(spec, 'type', 'ClusterIP');
    ensure(spec, 'sessionAffinity', 'None');
    for (const port of arrayOf(spec['ports']))
      if (isObject(port)) {
        ensure(port, 'protocol', 'TCP');
        ensure(port, 'targetPort', port['port']);
      }
    if (spec['type'] !== 'ExternalName') {
      ensure(spec, 'clusterIP', stringOf(current?.spec?.['clusterIP']) || clusterIP());
      ensure(spec, 'clusterIPs', [spec['clusterIP']]);
    }
    if (current === undefined) service.status = { loadBalancer: {} };
  };

/** Namespaces carry their own finalizer in the spec; their phase is the server's. */
export const namespaceDefaults = (namespace: ApiObject, current: ApiObject | undefined): void => {
  namespace.spec = current?.spec ?? { finalizers: ['kubernetes'] };
  if (current === undefined) namespace.status = { phase: 'Active' };
};

/** `stringData` is only ever written; it goes into `data` in base 64. */
export const secretDefaults = (secret: ApiObject): void => {
  ensure(secret, 'type', 'Opaque');
  const plain = Object.entries(objectOf(secret['stringData']));
  if (plain.length > 0)
    secret['data'] = {
      ...objectOf(secret['data']),
      ...Object.fromEntries(plain.map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')])),
    };
  delete secret['stringData'];
};

const withoutImages = (containers: unknown): JsonObject[] =>
  arrayOf(containers).map((one) => omit(objectOf(one), 'image'));

/** What of a pod's spec an update may change; the rest has to stay. Source: ValidatePodUpdate of kubernetes. */
export const fixedPodSpec = (spec: JsonObject | undefined): JsonObject => {
  return {
    ...omit(spec ?? {}, 'activeDeadlineSeconds', 'tolerations'),
    containers: withoutImages(spec?.['containers']),
    initContainers: withoutImages(spec?.['initContainers']),
  };
};
