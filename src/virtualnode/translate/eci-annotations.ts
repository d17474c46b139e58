import { ECI_PAY_AS_YOU_GO, TAG_PREFIX } from '../../api/annotations.ts';
import type { Tag } from '../../cloud/port.ts';
import type { ContainerGroupSpec } from '../../cloud/container-groups.ts';
import type { WorkloadPod } from '../workload-pod.ts';
import { MOST_EXTRA_STORAGE } from './eci-limits.ts';
import { bandwidth, bool, list, number, oneOf, word } from './annotation-values.ts';
import { dnsIn, hostsIn } from './custom-names.ts';
import { quote } from '../../lib/text.ts';
import { gibOf, LONGEST_ANNOTATION } from '../../request/instance-choices.ts';
import type { NodeSettings, Remarks } from './input.ts';
import {
  dataCacheOf,
  machineOf,
  networkOf,
  pullingOf,
  type ReadAnnotation,
  type RefuseAnnotation,
} from './instance-options.ts';

const K8S = 'k8s.aliyun.com/';
const KUBERNETES = 'kubernetes.io/';
const IDS = { vsw: /^vsw-[a-z0-9-]{1,60}$/, sg: /^sg-[a-z0-9-]{1,60}$/ };

/** On a pod: the ECS instance types, or sizes such as 2-4Gi, that its instance may have. */
export const INSTANCE_TYPES = `${K8S}eci-use-specs`;
/** The older name of {@link INSTANCE_TYPES}. */
const FORMER_INSTANCE_TYPES = `${K8S}eci-instance-type`;

/** Whether a pod names instance types, and with them leaves its size open. */
export const namesInstanceTypes = (annotations: Readonly<Record<string, string>> = {}): boolean =>
  [INSTANCE_TYPES, FORMER_INSTANCE_TYPES].some((key) => annotations[key] !== undefined);

/** What of a pod says how it is to be run. */
interface Marked {
  readonly uid?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * With which code a spot instance was refused to the pod, in place of which it has another one; undefined where none
 * was. Who makes a pod from what another one had copies the mark: it counts for the pod of its UID only.
 */
const spotRefusalOf = ({ uid, annotations = {} }: Marked): string | undefined => {
  const mark = annotations[ECI_PAY_AS_YOU_GO];
  return uid !== undefined && mark?.startsWith(`${uid} `) === true ? mark.slice(uid.length + 1) : undefined;
};

/**
 * Whether a pod is run by a spot instance, which the cloud may take back at any time: `no`, it did not ask for one;
 * `only`; `or-pay-as-you-go`, where there are none; `pay-as-you-go`, as there were none.
 */
export const spotOf = (metadata: Marked): 'no' | 'only' | 'or-pay-as-you-go' | 'pay-as-you-go' => {
  const { annotations = {} } = metadata;
  const refusedWith = spotRefusalOf(metadata);
  if ((annotations[`${K8S}eci-spot-strategy`]?.trim() || NO_SPOT) === NO_SPOT) return 'no';
  if (annotations[`${K8S}${SPOT_FALLBACK}`]?.trim() !== 'true') return 'only';
  return refusedWith === undefined ? 'or-pay-as-you-go' : 'pay-as-you-go';
};
const NO_SPOT = 'NoSpot';
const SPOT_FALLBACK = 'eci-spot-fallback';

/**
 * Annotations that the managed virtual node implements, and for which CreateContainerGroup has no parameter (its API
 * reference, and the SDKs of 2025). `means`: the value with which they ask for what happens here in any case.
 */
const NOT_HONOURED: Readonly<Record<string, { readonly instead?: string; readonly means?: string }>> = {
  'eci-ephemeral-storage-options': {},
  'eci-eviction-enable': { means: 'false', instead: 'set limits for ephemeral-storage in emptyDir volumes' },
  'eci-instance-family': { instead: 'name instance types with k8s.aliyun.com/eci-use-specs' },
  'eci-instance-generation': { instead: 'name instance types with k8s.aliyun.com/eci-use-specs' },
  'eci-privatepool-id': {},
  'eci-privatepool-matchcriteria': {},
  // As some older pages spell it.
  'eci-privatepool-match-criteria': {},
  'eci-reschedule-enable': { means: 'true', instead: 'write k8s.aliyun.com/eci-fail-strategy: fail-fast' },
  'eci-sls-enable': { means: 'false', instead: 'leave it out; variables aliyun_logs_… are passed on as they are' },
  'imc-match-count-request': {},
  'imc-perfect-match': { means: 'false' },
};

/**
 * Tags that users may set. Our prefix is for the tags that prove whose an instance is; the other prefixes are Alibaba
 * Cloud's (ECI API reference, CreateContainerGroup, Tag).
 */
const CUSTOM_TAG = new RegExp(`^(?!${TAG_PREFIX}|aliyun|acs:|https?:)[^:,]{1,128}:[^,]{0,128}$`);

/** An instance type such as ecs.c6.large, or vCPU and GiB such as 2-4Gi. */
const INSTANCE_TYPE = /^(?:[a-z][\w.-]{1,63}|\d{1,4}(?:\.\d{1,3})?-\d{1,5}(?:\.\d{1,3})?Gi)$/;

/** A single size is passed as vCPU and memory; one of several as an instance type. */
const sizeOrTypes = (types: readonly string[] | undefined): Pick<Annotated, 'cpu' | 'memory' | 'instanceTypes'> => {
  const [, cpu, memory] = (types?.length === 1 && /^([\d.]{1,8})-([\d.]{1,9})Gi$/.exec(types[0] ?? '')) || [];
  return cpu !== undefined && memory !== undefined
    ? { cpu: Number(cpu), memory: Number(memory) }
    : { instanceTypes: types };
};

/** The market on which the instance is bought. */
const spotIn = (metadata: Marked, read: ReadAnnotation, remarks: Remarks): Partial<ContainerGroupSpec> => {
  const strategies = ['NoSpot', 'SpotAsPriceGo', 'SpotWithPriceLimit'] as const;
  const spotStrategy = read('eci-spot-strategy', oneOf(...strategies), `one of ${strategies.join(', ')}`);
  const spotPriceLimit = read(
    'eci-spot-price-limit',
    number(0, 100_000, false),
    'a price per hour with at most three decimals',
  );
  const spotDuration = read('eci-spot-duration', number(0, 1), '0 or 1, hours');
  if (spotStrategy === 'SpotWithPriceLimit' && spotPriceLimit === undefined)
    remarks.refusals.push({
      field: `metadata.annotations[${K8S}eci-spot-strategy]`,
      problem: 'SpotWithPriceLimit has no limit',
      remedy: `write ${K8S}eci-spot-price-limit too, or SpotAsPriceGo`,
    });
  read(SPOT_FALLBACK, bool, '"true" or "false"');
  const isSpot = spotOf(metadata) !== 'pay-as-you-go';
  if (!isSpot)
    remarks.notes.push({
      field: `metadata.annotations[${K8S}eci-spot-strategy]`,
      problem: `no spot instance was to be had (${quote((spotRefusalOf(metadata) ?? '').slice(0, LONGEST_CODE))})`,
      remedy: `the pod runs on a pay-as-you-go instance, at its price, because ${K8S}${SPOT_FALLBACK} is "true"`,
    });
  return isSpot ? { spotStrategy, spotPriceLimit, spotDuration } : {};
};

type Annotated = Partial<ContainerGroupSpec> & Pick<ContainerGroupSpec, 'securityGroupId' | 'vSwitchIds'>;

/**
 * Reads ECI's own annotations of a pod. Source: ECI documentation, "Pod annotations supported by ECI". A value that
 * cannot be parsed is refused, because a wrong guess would cost money.
 */
export const annotated = (
  metadata: Marked,
  settings: NodeSettings,
  remarks: Remarks,
): {
  spec: Annotated;
  tags: readonly Tag[];
  hostAliases: NonNullable<WorkloadPod['spec']['hostAliases']>;
  dnsConfig: WorkloadPod['spec']['dnsConfig'];
} => {
  const { annotations = {} } = metadata;
  const read: ReadAnnotation = (key, parse, allowed, prefix = K8S) => {
    const given = annotations[prefix + key];
    if (given === undefined) return undefined;
    const field = `metadata.annotations[${prefix}${key}]`;
    const remedy = `write ${allowed}`;
    if (given.length > LONGEST_ANNOTATION) {
      const problem = `${quote(given)} has ${given.length} characters, and more than ${LONGEST_ANNOTATION} are not looked at`;
      remarks.refusals.push({ field, problem, remedy });
      return undefined;
    }
    const text = given.trim();
    if (text === '') return undefined;
    const value = parse(text);
    if (value === undefined) remarks.refusals.push({ field, problem: `${quote(text)} is not possible`, remedy });
    return value;
  };
  const refuse: RefuseAnnotation = (key, problem, remedy) =>
    void remarks.refusals.push({ field: `metadata.annotations[${K8S}${key}]`, problem, remedy });

  const vSwitchIds = read('eci-vswitch', list(IDS.vsw, 10), 'at most 10 IDs such as vsw-bp1…, separated by commas');
  const securityGroupId = read(
    'eci-security-group',
    list(IDS.sg, 1),
    'one ID such as sg-bp1…: CreateContainerGroup takes one',
  )?.[0];
  const allowedTypes = 'at most 5 instance types such as ecs.c6.large, or sizes such as 2-4Gi, separated by commas';
  const types =
    read('eci-use-specs', list(INSTANCE_TYPE, 5), allowedTypes) ??
    read('eci-instance-type', list(INSTANCE_TYPE, 5), allowedTypes);
  const spec = {
    vSwitchIds: vSwitchIds ?? settings.vSwitchIds,
    securityGroupId: securityGroupId ?? settings.securityGroupId,
    // A vSwitch determines the zone, which need not be the node's.
    zoneId: vSwitchIds ? undefined : settings.zoneId,
    scheduleStrategy: read(
      'eci-schedule-strategy',
      // Alibaba Cloud's own pages also spell them with a small letter at the beginning.
      (text) => oneOf('VSwitchOrdered', 'VSwitchRandom')(text.replace(/^v/, 'V')),
      'VSwitchOrdered or VSwitchRandom',
    ),
    ...sizeOrTypes(types),
    ...spotIn(metadata, read, remarks),
    ramRoleName: read('eci-ram-role-name', word, 'the name of a RAM role'),
    resourceGroupId: read('eci-resource-group-id', word, 'the ID of a resource group') ?? settings.resourceGroupId,
    imageSnapshotId:
      read('eci-imc-id', word, 'the ID of an image cache') ??
      read('eci-image-snapshot-id', word, 'the ID of an image cache'),
    autoMatchImageCache:
      read('eci-auto-imc', bool, '"true" or "false"') ?? read('eci-image-cache', bool, '"true" or "false"'),
    ephemeralStorage: read(
      'eci-extra-ephemeral-storage',
      (text) => number(1, MOST_EXTRA_STORAGE)(String(gibOf(text))),
      'a size such as 50Gi',
    ),
    ...networkOf(read, refuse),
    ...machineOf(read),
    ...pullingOf(read, refuse),
    ...dataCacheOf(read, refuse),
    // In bytes per second on ECI, which is not what Kubernetes' CNI plugin for bandwidth makes of them.
    ingressBandwidth: read('ingress-bandwidth', bandwidth, BYTES_PER_SECOND, KUBERNETES),
    egressBandwidth: read('egress-bandwidth', bandwidth, BYTES_PER_SECOND, KUBERNETES),
  };
  const pairs = read(
    'eci-custom-tags',
    list(CUSTOM_TAG, 3),
    `at most three tags as "key:value,key:value", none with the prefix ${TAG_PREFIX}, aliyun or acs:`,
  );
  const tags = pairs?.map((pair) => {
    const colon = pair.indexOf(':');
    return { key: pair.slice(0, colon), value: pair.slice(colon + 1) };
  });
  for (const [key, { means, instead }] of Object.entries(NOT_HONOURED)) {
    const given = annotations[K8S + key];
    if (given !== undefined && given !== means)
      remarks.notes.push({
        field: `metadata.annotations[${K8S}${key}]`,
        problem: 'this virtual node does not honour it',
        remedy: instead ?? 'leave it out; the instance runs without it',
      });
  }
  // What becomes of a pod whose instance the cloud refuses; see onRefusalOf.
  for (const [key, parse, allowed] of FAILING) read(key, parse, allowed);
  return {
    spec,
    tags: tags ?? [],
    hostAliases: read('eci-custom-hosts', hostsIn, 'hosts such as [{"host":"example.com","ip":"10.0.0.9"}]') ?? [],
    dnsConfig: read('eci-custom-dnsconfig', dnsIn, DNS_FORM),
  };
};

/** Of an answer of the cloud in a message, characters; the annotation may be anybody's. */
const LONGEST_CODE = 60;
const BYTES_PER_SECOND = 'bytes per second such as 10M, which are 80 Mbit/s';
const DNS_FORM =
  'a configuration such as {"nameservers":"10.0.0.2,10.0.0.3","searches":"example.com","options":"ndots:2,edns0"}';

const FAILING = [
  ['eci-fail-strategy', oneOf('fail-back', 'fail-over', 'fail-fast'), 'fail-back, fail-over or fail-fast'],
  ['pod-fail-on-create-err', oneOf('true', 'false'), '"true" or "false"'],
] as const;

/**
 * What becomes of a pod whose instance the cloud refuses. `retries`: it waits, and its instance is asked for again,
 * which the others of the two annotations' values mean. `stays`: it waits for good, as ECI's documentation has it of
 * `fail-fast` (phase Pending, reason ContainerInstanceScheduleFailed). `fails`: for whoever made it to decide what
 * then. A pod that is never started again may do so by `fail-fast` too: a controller that makes such a pod anew, of a
 * Job, counts its failures; a ReplicaSet would make pod after pod.
 */
export const onRefusalOf = ({
  metadata: { annotations = {} },
  spec: { restartPolicy },
}: WorkloadPod): 'retries' | 'stays' | 'fails' => {
  if (annotations[`${K8S}pod-fail-on-create-err`]?.trim() === 'true') return 'fails';
  if (annotations[`${K8S}eci-fail-strategy`]?.trim() !== 'fail-fast') return 'retries';
  return restartPolicy === 'Never' ? 'fails' : 'stays';
};
