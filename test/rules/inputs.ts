import { ECI_KEYS, KEYS } from '../../src/api/annotations.ts';
import { HONOURED_ANNOTATIONS } from '../../src/request/instance-table.ts';
import type { EnvVar, WorkloadProbe } from '../../src/virtualnode/workload-pod.ts';
import { seeded as repeatable } from '../harness/random.ts';
import { app, type PodChange } from '../virtualnode/translate/pods.ts';

/** Chance that is the same each time. */
export const seeded = (seed: number): (() => number) => repeatable(seed).next;

const K8S = 'k8s.aliyun.com/';
const ALL_KEYS = [...new Set([...Object.values(KEYS).flat(), ...Object.values(ECI_KEYS)])];
const SCALE = ['max-scale', 'min-scale', 'initial-scale', 'maxScale'].map((name) => `autoscaling.knative.dev/${name}`);
const ODD_KEYS = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'eip',
  'pod-with-eip',
  `${K8S}eip`,
  `${K8S}eip-`,
  `${K8S}/`,
  'a/b/c',
];
const TEXTS = [
  'true',
  'false',
  'True',
  '',
  ' ',
  '0',
  '1',
  '5',
  '5M',
  '200',
  '201',
  '500',
  '501',
  '-1',
  '1e3',
  '0x10',
  '٥',
  'NaN',
  'PayByTraffic',
  'PayByBandwidth',
  'PostPaid',
  'PrePaid',
  'BGP',
  'BGP_PRO',
  'BGP_FinanceCloud',
  'ChinaTelecom',
  'bgp',
  'eip-bp1',
  'eip-',
  'EIP-1',
  'eip-1,eip-2',
  'cbwp-1',
  'rg-1',
  'pippool-1',
  '{}',
  '{"a":"b"}',
  '[]',
  'null',
  '{"a":1}',
  '{"__proto__":"x"}',
  'AntiDDoS_Enhanced',
  'wait',
  'ready',
  'Follow',
  'Never',
  '10m',
  '1h1h',
  '0s',
  '-5m',
  '9999999999h',
  'http://x',
  '\u0000',
  '\u001b[31m',
  '\r\n',
  '\ud800',
  '🙂\u202e',
  '\ufeff',
  'enable',
  '💥'.repeat(100),
];
const ASKING: readonly Record<string, string>[] = [
  { [`${K8S}pod-with-eip`]: 'true' },
  { [`${K8S}eci-with-eip`]: 'true' },
  { [`${K8S}pod-eip-instanceid`]: 'eip-bp1' },
  { [`${K8S}pod-eip-instanceid`]: 'eip-bp1', 'autoscaling.knative.dev/max-scale': '1' },
];
/** Values that fit the keys which end so. */
const FITTING: Readonly<Record<string, readonly string[]>> = {
  'with-eip': ['true', 'false'],
  'eip-instanceid': ['eip-bp1', 'eip-bp2'],
  'eip-bandwidth': ['1', '5', '5M', '200', '201', '500'],
  'internet-charge-type': ['PayByTraffic', 'PayByBandwidth'],
  'eip-charge-type': ['PayByTraffic', 'PayByBandwidth'],
  'instance-charge-type': ['PostPaid', 'PrePaid'],
  'package-id': ['cbwp-1'],
  'eip-isp': ['BGP', 'BGP_PRO', 'ChinaTelecom', 'BGP_FinanceCloud'],
  'pool-id': ['pippool-1'],
  'group-id': ['rg-1'],
  'protection-types': ['AntiDDoS_Enhanced', ''],
  'eip-tags': ['{}', '{"a":"b"}', '{"aliyun":"x"}', '{"a":1}'],
  'eip-handover': ['wait', 'ready'],
  'release-strategy': ['Follow', 'Never', '10m', '1h1h', '0s'],
  scale: ['0', '1', '2'],
};
const ODD_VALUES: readonly unknown[] = [null, undefined, 5, true, [], {}, ['x'], { a: 'b' }, -0, 1e308, Number.NaN];
const KINDS = [
  ['v1', 'Pod'],
  ['serving.knative.dev/v1', 'Service'],
  ['serving.knative.dev/v1', 'Configuration'],
  ['serving.knative.dev/v1', 'Revision'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'ReplicaSet'],
  ['batch/v1', 'Job'],
  ['batch/v1', 'CronJob'],
  ['v1', 'List'],
  ['x/y/z', 'Pod'],
] as const;
const LABELS: readonly object[] = [
  {},
  { 'alibabacloud.com/eci': 'true' },
  { 'alibabacloud.com/acs': 'true' },
  { 'serverless.alibabacloud.com/virtual-node': 'true' },
  { 'serving.knative.dev/service': 'web', 'serving.knative.dev/serviceUID': 'u' },
];

/** What makes inputs that are nearly right: the same seed gives the same ones. */
export const inputs = (seed: number) => {
  const next = seeded(seed);
  const one = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const often = (share: number): boolean => next() < share;
  const count = (most: number): number => Math.floor(next() * (most + 1));

  /** One edit of a text: a letter more, less, other, in another case, or a piece many times. */
  const bent = (text: string): string => {
    const at = count(text.length);
    switch (count(6)) {
      case 0:
        return text.slice(0, at) + text.slice(at + 1);
      case 1:
        return text.slice(0, at) + String.fromCharCode(count(0xffff)) + text.slice(at);
      case 2:
        return text.slice(0, at) + text.slice(at).toUpperCase();
      case 3:
        return text.slice(0, at) + text.slice(at, at + 3).repeat(count(200)) + text.slice(at);
      case 4:
        return text.slice(at) + text.slice(0, at);
      case 5:
        return `${text} `;
      default:
        return text;
    }
  };
  const key = (): string => {
    const plain = often(0.8) ? one(ALL_KEYS) : often(0.5) ? one(SCALE) : one(ODD_KEYS);
    return often(0.15) ? bent(plain) : plain;
  };
  const text = (): string => {
    const plain = one(TEXTS);
    return often(0.3) ? bent(plain) : plain;
  };
  /**
   * Mostly what asks for an address, and some settings, of which each has the value of its own kind as often as not.
   */
  const annotations = (): Record<string, string> => ({
    ...(often(0.7) && one(ASKING)),
    ...Object.fromEntries(
      Array.from({ length: count(5) }, () => {
        const name = key();
        const fit = Object.entries(FITTING).find(([end]) => name.endsWith(end))?.[1];
        return [name, fit && often(0.6) ? one(fit) : text()];
      }),
    ),
  });

  /** Something of the right shape, in which now and then a part is of another. */
  const or = (value: unknown): unknown => (often(0.03) ? one(ODD_VALUES) : value);
  const metadata = (): unknown =>
    or({
      name: or(text()),
      namespace: or('default'),
      annotations: or(often(0.05) ? { [key()]: one(ODD_VALUES) } : annotations()),
      labels: or(one(LABELS)),
      ...(often(0.2) && { ownerReferences: or([{ kind: or('ReplicaSet'), name: 'x', controller: or(true) }]) }),
      ...(often(0.05) && { deletionTimestamp: or('2026-01-01T00:00:00Z') }),
    });
  const podSpec = (): unknown =>
    or({
      hostNetwork: or(often(0.2)),
      ...(often(0.2) && { nodeName: or('n') }),
      ...(often(0.2) && { nodeSelector: or({ type: or('virtual-kubelet') }) }),
      ...(often(0.1) && { tolerations: or([or({ key: 'virtual-kubelet.io/provider', operator: or('Exists') })]) }),
      ...(often(0.1) && {
        affinity: or({
          nodeAffinity: or({
            requiredDuringSchedulingIgnoredDuringExecution: or({
              nodeSelectorTerms: or([
                or({ matchExpressions: or([or({ key: 'type', operator: 'In', values: or(['x']) })]) }),
              ]),
            }),
          }),
        }),
      }),
    });
  const object = (): unknown => {
    const [apiVersion, kind] = one(KINDS);
    const isPod = kind === 'Pod' || kind === 'Revision';
    const spec = isPod
      ? podSpec()
      : or({ replicas: or(count(3)), template: or({ metadata: metadata(), spec: podSpec() }) });
    return or({
      apiVersion: or(apiVersion),
      kind: or(kind),
      metadata: metadata(),
      spec: kind === 'CronJob' ? or({ jobTemplate: or({ spec }) }) : spec,
      ...(kind === 'List' && { items: or(often(0.5) ? [] : [object()]) }),
    });
  };
  const review = (): unknown =>
    or({
      apiVersion: or('admission.k8s.io/v1'),
      kind: or('AdmissionReview'),
      request: or({
        uid: or('u'),
        operation: or(one(['CREATE', 'UPDATE', 'DELETE', 'CONNECT'])),
        resource: or({ group: or(''), version: 'v1', resource: or('pods') }),
        subResource: or(often(0.1) ? 'status' : undefined),
        namespace: or('default'),
        object: object(),
        oldObject: often(0.5) ? object() : null,
      }),
    });
  /** A manifest as text, with now and then a letter that does not belong there. */
  const manifest = (): string => {
    const json = JSON.stringify(object()) ?? '';
    const whole = often(0.3) ? `${json}\n---\n${JSON.stringify(object()) ?? ''}` : json;
    return often(0.4) ? bent(whole) : whole;
  };
  const configuration = (): string => {
    const lines = ['clusterID: c1', 'regionID: cn-hangzhou', 'vpcID: vpc-1', `webhook: { onConflict: ${text()} }`];
    const whole = lines.filter(() => often(0.95)).join('\n');
    return often(0.7) ? bent(whole) : whole;
  };
  const some = <T>(make: () => T, most = 3): T[] => Array.from({ length: count(most) }, make);
  /** A pod of our virtual node, as an API server lets it pass: what is a text may be any, and the rest has its type. */
  const virtualPod = (): PodChange => {
    const word = (...usual: readonly string[]) => (often(0.96) ? one(usual) : text());
    const quantities = () =>
      Object.fromEntries(some(() => [word('cpu', 'memory', 'nvidia.com/gpu'), word('1', '2Gi', '500m')]));
    const probe = () =>
      one<WorkloadProbe>([
        { httpGet: { port: word('http', '8080'), path: word('/', '/ready') } },
        { tcpSocket: { port: count(70_000) } },
        { exec: { command: some(text) } },
        {},
      ]);
    const variable = () =>
      one<EnvVar>([
        { name: word('A', 'B'), value: often(0.5) ? text() : `$(${word('A', 'B')})${text()}` },
        { name: word('A'), valueFrom: { fieldRef: { fieldPath: word('metadata.name', "metadata.labels['a']") } } },
        {
          name: word('A'),
          valueFrom: { resourceFieldRef: { resource: word('limits.cpu'), divisor: word('1', '1Mi') } },
        },
      ]);
    return {
      ...(often(0.2) && { name: text() }),
      annotations: {
        ...(often(0.3) && annotations()),
        ...Object.fromEntries(
          some(() => [one(HONOURED_ANNOTATIONS), word('true', '2-4Gi', '10', '10M', 'vsw-1,vsw-2')]),
        ),
      },
      containers: [
        app({
          env: some(variable, 5),
          command: some(text),
          image: word('nginx:1.29', 'r.example/a/b@sha256:0'),
          resources: { limits: quantities(), requests: quantities() },
          ...(often(0.5) && { readinessProbe: probe(), livenessProbe: probe() }),
        }),
      ],
      volumes: some(() =>
        often(0.5)
          ? { name: word('v'), nfs: { server: word('nas.example'), path: word('/', '/a/../b') } }
          : {
              name: word('v'),
              flexVolume: {
                driver: word('alicloud/disk', 'alicloud/nas', 'alicloud/oss'),
                options: Object.fromEntries(some(() => [word('volumeId', 'volumeSize', 'server', 'bucket'), text()])),
              },
            },
      ),
    };
  };
  return { annotations, object, review, manifest, configuration, virtualPod, text, oneOf: one };
};
