import type { VirtualNodeAllowances } from '../api/eippolicy.ts';
import { ECI_ATTEMPT, ECI_PAY_AS_YOU_GO } from '../api/annotations.ts';

/** What an EipPolicy has to allow. */
export type Allowance = keyof VirtualNodeAllowances;

/*
 * Who may choose what of an elastic container instance: one row for each annotation and each field of a pod that our
 * virtual node honours, and nothing is honoured without a row (test/virtualnode/translate/table.test.ts).
 *
 * What is the author's is the pod's own business: it changes what runs inside of the instance, or costs what Kubernetes
 * counts (ResourceQuota), or Pod Security has judged it when the pod was made. What an allowance is named for is the
 * account's: identities, networks, data of others, and money that nobody counts.
 */

const K8S = 'k8s.aliyun.com/';

/** Annotations that choose something of the account, with what has to allow it. */
export const CHOSEN_ANNOTATIONS: Readonly<Record<string, Allowance>> = {
  // Its credentials are on the metadata address of the instance.
  [`${K8S}eci-ram-role-name`]: 'ramRoles',
  // Whom it reaches, and who reaches it.
  [`${K8S}eci-security-group`]: 'securityGroups',
  [`${K8S}eci-vswitch`]: 'vSwitches',
  // Whose bill it is on, and who may look into it and end it.
  [`${K8S}eci-resource-group-id`]: 'resourceGroups',
  [`${K8S}eci-custom-tags`]: 'tagKeys',
  // The images of others, without their passwords.
  [`${K8S}eci-imc-id`]: 'imageCaches',
  [`${K8S}eci-image-snapshot-id`]: 'imageCaches',
  [`${K8S}eci-auto-imc`]: 'imageCaches',
  [`${K8S}eci-image-cache`]: 'imageCaches',
  // The account's images, without a password.
  [`${K8S}acr-instance-id`]: 'acrInstances',
  [`${K8S}acr-instance-ids`]: 'acrInstances',
  // The images that a role of the account may pull, or one of another account that it may assume.
  [`${K8S}acr-service-arns`]: 'acrRoles',
  [`${K8S}acr-user-arns`]: 'acrRoles',
  // Rules of others may know the address, and one that is kept is nobody else's.
  [`${K8S}eci-private-ip-address`]: 'privateAddresses',
  [`${K8S}eci-fixed-ip`]: 'privateAddresses',
  // A public address, and what it may cost.
  [`${K8S}eci-ipv6-bandwidth-enable`]: 'ipv6BandwidthMbps',
  [`${K8S}eci-ipv6-bandwidth`]: 'ipv6BandwidthMbps',
  // Money: no quota of Kubernetes counts it.
  [`${K8S}eci-data-cache-pl`]: 'dataCaches',
  [`${K8S}eci-data-cache-provisionedIops`]: 'dataCaches',
  [`${K8S}eci-data-cache-burstingEnabled`]: 'dataCaches',
  [`${K8S}eci-use-specs`]: 'instanceTypes',
  [`${K8S}eci-instance-type`]: 'instanceTypes',
  [`${K8S}eci-extra-ephemeral-storage`]: 'ephemeralStorageGiB',
};

/** Annotations that the author of a pod may write as he likes. */
const AUTHORS_ANNOTATIONS = [
  // Cheaper, and may end at any time, at his own pod's cost; a limit is the most that is paid.
  `${K8S}eci-spot-strategy`,
  `${K8S}eci-spot-price-limit`,
  `${K8S}eci-spot-duration`,
  // What it costs without these, as soon as there are none.
  `${K8S}eci-spot-fallback`,
  ECI_PAY_AS_YOU_GO,
  // Which of the vSwitches comes first.
  `${K8S}eci-schedule-strategy`,
  // An address of the vSwitch; no way to the Internet by itself.
  `${K8S}eci-enable-ipv6`,
  // For how long the address is kept that has been allowed to be kept.
  `${K8S}eci-fixed-ip-retain-hour`,
  // Inside of the instance: its clock, its dumps, the threads of its own cores.
  `${K8S}eci-ntp-server`,
  `${K8S}eci-core-pattern`,
  `${K8S}eci-cpu-option-core`,
  `${K8S}eci-cpu-option-ht`,
  // What its own machine is like, for how long it may be waited for, and what becomes of its pod if there is none.
  `${K8S}eci-compute-category`,
  `${K8S}eci-gpu-driver-version`,
  `${K8S}eci-max-pending-minute`,
  `${K8S}eci-fail-strategy`,
  `${K8S}pod-fail-on-create-err`,
  // The same as spec.hostAliases and spec.dnsConfig.
  `${K8S}eci-custom-hosts`,
  `${K8S}eci-custom-dnsconfig`,
  // What is in the bucket is chosen by volumes of the kind hostPath.
  `${K8S}eci-data-cache-bucket`,
  // How its own images are pulled.
  `${K8S}plain-http-registry`,
  `${K8S}insecure-registry`,
  // Kubernetes' own; they make a pod slower.
  'kubernetes.io/ingress-bandwidth',
  'kubernetes.io/egress-bandwidth',
  // Part of the idempotency token; an instance is looked for by its tags before one is made.
  ECI_ATTEMPT,
] as const;

/** Who may choose an annotation of a pod; undefined: our virtual node does not honour it. */
export const chooserOf = (key: string): Allowance | 'author' | undefined =>
  CHOSEN_ANNOTATIONS[key] ?? ((AUTHORS_ANNOTATIONS as readonly string[]).includes(key) ? 'author' : undefined);

/** Every annotation that our virtual node honours. */
export const HONOURED_ANNOTATIONS: readonly string[] = [...Object.keys(CHOSEN_ANNOTATIONS), ...AUTHORS_ANNOTATIONS];

/** Fields whose values the API server or another controller of the cluster decides, and the author only asks for. */
const METADATA = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'metadata.labels', 'metadata.annotations'];

const CONTAINER = [
  'name',
  'image',
  'imagePullPolicy',
  'command',
  'args',
  'workingDir',
  // __ECI_RESOURCE_IGNORE__ among them: the container may use what the others have asked for.
  'env',
  'envFrom',
  'ports',
  // CPU, memory and temporary storage are counted by ResourceQuota, and a policy may say the most of the storage; a GPU
  // needs an instance type, which has to be allowed.
  'resources',
  'volumeMounts',
  'readinessProbe',
  'livenessProbe',
  'lifecycle',
  // Pod Security judges it; an instance is a virtual machine of its own.
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'terminationMessagePath',
  'terminationMessagePolicy',
  // Refused unless it says what the pod says.
  'restartPolicy',
  // Refused.
  'startupProbe',
  'volumeDevices',
];

/** Fields that the author of a pod may write as he likes, because nothing of the account is chosen by them. */
const AUTHORS_FIELDS = [
  ...METADATA,
  ...['containers', 'initContainers'].flatMap((list) => CONTAINER.map((field) => `spec.${list}[].${field}`)),
  'spec.restartPolicy',
  'spec.terminationGracePeriodSeconds',
  'spec.activeDeadlineSeconds',
  'spec.shareProcessNamespace',
  'spec.hostname',
  'spec.dnsPolicy',
  'spec.dnsConfig',
  // Inside of the instance only.
  'spec.hostAliases',
  // Secrets of the pod's own namespace.
  'spec.imagePullSecrets',
  // Whose token it may get is the API server's to say, when the pod is made.
  'spec.serviceAccountName',
  'spec.securityContext.runAsUser',
  'spec.securityContext.runAsGroup',
  'spec.securityContext.runAsNonRoot',
  // Of a kernel that no other pod has; Pod Security judges them too.
  'spec.securityContext.sysctls',
  'spec.securityContext.fsGroup',
  'spec.securityContext.supplementalGroups',
  // Cannot be said to ECI, which is noted.
  'spec.securityContext.seccompProfile',
  'spec.securityContext.appArmorProfile',
  'spec.securityContext.seLinuxOptions',
  // Refused.
  'spec.securityContext.windowsOptions',
  'spec.hostNetwork',
  'spec.hostPID',
  'spec.hostIPC',
  // Of the free 30 GiB, or of memory that was asked for.
  'spec.volumes[].name',
  'spec.volumes[].emptyDir',
  // Objects of the pod's own namespace.
  'spec.volumes[].configMap',
  'spec.volumes[].secret',
  'spec.volumes[].projected',
  'spec.volumes[].downwardAPI',
  // A claim reaches what an administrator, or a provisioner for him, has bound to it, and nothing that it names itself.
  'spec.volumes[].persistentVolumeClaim',
  'spec.volumes[].ephemeral',
];

/** Fields that choose something of the account; the parts of a flexVolume have rows of their own by driver. */
const CHOSEN_FIELDS: Readonly<Record<string, readonly Allowance[]>> = {
  'spec.volumes[].nfs': ['fileServers'],
  'spec.volumes[].hostPath': ['dataCaches'],
  'spec.volumes[].flexVolume': ['disks', 'newDiskGiB', 'fileServers', 'buckets', 'ramRoles', 'mountOptions'],
};

/** Every field of a pod that our virtual node looks at; any other volume than these is refused. */
export const HONOURED_FIELDS: readonly string[] = [...AUTHORS_FIELDS, ...Object.keys(CHOSEN_FIELDS)];
