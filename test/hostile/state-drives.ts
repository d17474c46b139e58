import {
  ADOPTED,
  ALLOCATED_ADDRESS,
  BINDINGS,
  CONTROLLER,
  ECI_ATTEMPT,
  ECI_PAY_AS_YOU_GO,
  ECI_EVENTS_TOLD,
  EXTERNAL_CONTROLLER,
  GONE_SINCE,
  QUIET_SINCE,
  REQUEST,
} from '../../src/api/annotations.ts';
import { readMetrics } from '../../src/cloud/alicloud/eci-answers.ts';
import type { ContainerGroup } from '../../src/cloud/container-groups.ts';
import { decide } from '../../src/controllers/podeip/decide.ts';
import type { ObservedState } from '../../src/controllers/podeip/observation.ts';
import { quietByNote, writeQuiet } from '../../src/controllers/podeip/quiet.ts';
import { toldBefore } from '../../src/controllers/podeip/report.ts';
import { sortByMark } from '../../src/controllers/podeip/ownership.ts';
import { statusOf } from '../../src/controllers/podeip/status.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { tellingTime } from '../../src/kube/server-time.ts';
import { markOfCluster } from '../../src/lib/mark.ts';
import { workloadKindOf } from '../../src/manifest/read-workload.ts';
import { isKeptEnough } from '../../src/virtualnode/ended.ts';
import { groupNewsOf } from '../../src/virtualnode/group-events.ts';
import { podStatusOf } from '../../src/virtualnode/instance-status.ts';
import { logOptionsOf } from '../../src/virtualnode/log-query.ts';
import { nodeStatusPatch } from '../../src/virtualnode/node.ts';
import { breakerOf } from '../../src/virtualnode/orphan-breaker.ts';
import { summaryOf } from '../../src/virtualnode/stats-summary.ts';
import { decodeHeaders, encodeHeaders } from '../../src/virtualnode/streaming/spdy-headers.ts';
import { virtualNodeSettings } from '../harness/settings.ts';
import { app, podOf, translated } from '../virtualnode/translate/pods.ts';
import {
  bound,
  eip,
  eni,
  EXISTING,
  existing,
  node,
  NOW,
  pod,
  podEip,
  seen,
  settings,
  usersEip,
} from '../controllers/podeip/situation.ts';
import { attempt, type Drive } from './drive.ts';

/* Texts that stand in what is remembered: notes, times and messages on objects, whoever wrote them there. */

const NOTES = [CONTROLLER, REQUEST, BINDINGS, GONE_SINCE, ADOPTED, QUIET_SINCE] as const;
const MARKING = { ...settings, markKey: 'k'.repeat(32), adoptBefore: NOW };

/** A PodEIP with the text in one note after the other, and in its status. */
const noted = (text: string, parts: Parameters<typeof podEip>[0] = {}) =>
  [undefined, ...NOTES].map((key) => {
    const whole = podEip({ allocationID: 'eip-1', ...parts });
    const condition = {
      type: 'Ready',
      status: 'False',
      reason: 'CloudRefused',
      message: text,
      lastTransitionTime: text,
    };
    return {
      ...whole,
      metadata: {
        ...whole.metadata,
        annotations: { ...whole.metadata.annotations, ...(key !== undefined && { [key]: text }) },
      },
      status: { podLastSeen: text, eipAddress: text, bandwidth: text, status: 'InUse', conditions: [condition] },
    } as typeof whole;
  });

const decided = (parts: Partial<ObservedState>, with_ = settings) => decide(seen(parts), with_);

const group = (text: string): ContainerGroup => {
  const ended = { name: 'main', image: 'nginx', ready: false, restartCount: 0 };
  return {
    containerGroupId: 'eci-1',
    containerGroupName: 'default-web',
    status: 'Succeeded',
    intranetIp: text,
    creationTime: text,
    tags: new Map([[text, text]]),
    events: [
      { type: 'Warning', reason: text, message: text, lastTimestamp: text },
      { type: 'Warning', reason: 'Failed', message: 'x', lastTimestamp: '2026-11-20T11:59:00Z' },
    ],
    containers: [{ ...ended, currentState: { state: 'Terminated', startTime: text, finishTime: text, reason: text } }],
    initContainers: [],
  } as unknown as ContainerGroup;
};

export const STATE_DRIVES: Readonly<Record<string, Drive>> = {
  'what a decision is made on': (text) => {
    for (const isEnding of [false, true])
      for (const each of noted(text, { isEnding })) {
        decided({ podEip: each, tagged: [eip({ description: text, allocationTime: text })] });
        decided({ podEip: each, pod: null, serverNow: NOW, eip: eip({ ...bound, description: text }) });
      }
    for (const controller of ['another', EXTERNAL_CONTROLLER])
      for (const each of noted(text, { controller }))
        decided({ podEip: each, eip: usersEip({ allocationTime: text }) });
    return decided({ pod: pod({ annotations: { ...EXISTING, [ALLOCATED_ADDRESS]: text }, podIP: text }) });
  },
  'a PodEIP of another controller': (text) => {
    const [whole] = noted(text, { request: undefined });
    return [null, pod()].map((each) =>
      decided(
        {
          podEip: {
            ...whole!,
            metadata: { ...whole!.metadata, annotations: {}, creationTimestamp: '2026-01-01T00:00:00Z' },
          },
          pod: each,
          eip: eip({ tags: new Map(), description: text }),
        },
        MARKING,
      ),
    );
  },
  'the holder of an EIP': (text) =>
    [{ namespace: text }, { namespace: 'default' }, { namespace: 'other' }].map((whose) =>
      decided(
        {
          podEip: podEip({ request: existing }),
          pod: pod({ annotations: EXISTING }),
          eip: usersEip(),
          competitors: [],
          interfaces: [eni()],
          holder: { metadata: { name: 'eip-1', uid: 'h', resourceVersion: '1' }, ...whose, lastNamed: text },
        },
        { ...settings, existingEips: 'firstUse', existingEipIdleMs: 86_400_000 },
      ),
    ),
  'where an address is': (text) =>
    [undefined, [eni({ prefixes: [text, '10.0.0.0/28'] })]].map((nodeInterfaces) =>
      decided({
        podEip: podEip({ allocationID: 'eip-1' }),
        interfaces: [],
        eip: eip(),
        node: { ...node, spec: { providerID: text, podCIDR: text } },
        nodeInterfaces,
        memory: { ...seen({}).memory, noInterfaceMs: 600_000 },
      }),
    ),
  'whose a mark says that an EIP is': (text) =>
    [text, `x ${text}`, `x knative-eip-mark-${text}`].flatMap((description) => [
      markOfCluster(description, MARKING),
      sortByMark([usersEip({ description, allocationTime: text })], podEip({ creationTimestamp: text }), MARKING),
      sortByMark([usersEip({ description, allocationTime: '2026-12-01T00:00:00Z' })], podEip(), MARKING),
    ]),
  'notes of quiet': (text) =>
    [text, `${text} ${text}`, writeQuiet(MARKING, 'podeip', NOW - 1_000)].map((note = '') => {
      const whole = podEip({ isEnding: true });
      const annotations = { ...whole.metadata.annotations, [QUIET_SINCE]: note };
      const metadata = { ...whole.metadata, annotations };
      return quietByNote({ ...whole, metadata }, { now: NOW, serverNow: NOW }, MARKING);
    }),
  'what was said before': (text) =>
    noted(text).map((each) => {
      const state = seen({ podEip: each, memory: { ...seen({}).memory } });
      toldBefore({ do: 'Wait', reason: 'Settling', message: 'x', ms: 1 } as never, state);
      return statusOf(each, state, { isReady: false, reason: 'Settling', message: text } as never, {
        now: NOW,
        refreshMs: 3_600_000,
      });
    }),
  'what ECI tells of an instance': (text) => [
    groupNewsOf(podOf({ annotations: { [ECI_EVENTS_TOLD]: text } }), group('2026-11-20T11:59:00Z')),
    groupNewsOf(podOf({ annotations: {} }), group(text)),
    isKeptEnough(group(text), NOW, 0),
    podStatusOf(podOf({}), group(text), { now: NOW, hostIP: undefined }),
    translated(podOf({ annotations: { [ECI_ATTEMPT]: text } })),
    translated(
      podOf({
        annotations: {
          'k8s.aliyun.com/eci-spot-strategy': 'SpotAsPriceGo',
          'k8s.aliyun.com/eci-spot-fallback': 'true',
          [ECI_PAY_AS_YOU_GO]: text,
        },
      }),
    ),
  ],
  'what ECI measures': (text) => {
    const amounts = { usageCoreNanoSeconds: text, usageNanoCores: text, workingSet: text };
    const record = (timestamp: string) => ({
      timestamp,
      CPU: amounts,
      memory: amounts,
      containers: [{ name: 'main', CPU: amounts, memory: amounts }],
    });
    const answer = (timestamp: string) =>
      readMetrics({ monitorDatas: [{ containerGroupId: 'eci-1', records: [record(timestamp)] }] } as never);
    const running = (group_: ContainerGroup) => ({
      ...group_,
      containers: [{ name: 'main', image: text, currentState: { state: 'Running', startTime: text } }],
    });
    const [metrics] = answer('2026-11-20T11:59:00Z');
    const whole = { name: 'web', namespace: 'default', uid: 'u', group: running(group(text)), metrics };
    const usage = { at: NOW, pods: [whole], cpuCoreNanoSeconds: 1 };
    return [attempt(() => answer(text)), summaryOf(usage as never, { nodeName: 'virtual-1', startedAt: NOW }, false)];
  },
  'headers of a stream': (text) => decodeHeaders(encodeHeaders(new Map([[text, text]]))),
  'the Node that is ours': (text) => {
    const condition = { type: 'Ready', status: 'True', lastHeartbeatTime: text };
    const status = { conditions: [condition], capacity: { cpu: text, memory: text } };
    return [
      nodeStatusPatch({ ...node, status } as never, virtualNodeSettings().description, NOW, 1_000),
      breakerOf({
        groups: 9,
        orphans: 9,
        brakeAbove: undefined,
        node: { ...node, metadata: { ...node.metadata, annotations: everywhere(text) } },
      }),
    ];
  },
  'a question for a log': (text) =>
    ['tailLines', 'sinceSeconds', 'sinceTime', 'limitBytes', 'stream'].map((key) =>
      attempt(() => logOptionsOf(new URLSearchParams({ [key]: text }))),
    ),
  'shares and tags on our virtual node': (text) => [
    translated(podOf({ annotations: { 'k8s.aliyun.com/eci-custom-tags': text.slice(0, 1_000) } })),
    translated(
      podOf({
        annotations: {
          'k8s.aliyun.com/eci-custom-hosts': JSON.stringify([{ host: text.slice(0, 900), ip: '10.0.0.9' }]),
          'k8s.aliyun.com/eci-custom-dnsconfig': JSON.stringify({ nameservers: text.slice(0, 900) }),
        },
      }),
    ),
    translated(
      podOf({
        annotations: {
          'k8s.aliyun.com/eci-custom-hosts': JSON.stringify([{ host: 'a', ip: text.slice(0, 900) }]),
          'k8s.aliyun.com/eci-custom-dnsconfig': JSON.stringify({
            searches: text.slice(0, 400),
            options: text.slice(0, 400),
          }),
        },
      }),
    ),
    translated(
      podOf({
        volumes: [{ name: 'v', nfs: { server: text, path: text } }],
        containers: [app({ volumeMounts: [{ name: 'v', mountPath: text }] })],
      }),
    ),
  ],
  'the kind of an object': (text) => workloadKindOf({ apiVersion: `${text}/${text}`, kind: text }),
  'the clock of an API server': (text) => {
    const answer: KubeTransport = () => Promise.resolve({ status: 200, header: () => text } as never);
    return tellingTime(answer).transport({ method: 'GET', path: '/' });
  },
};

const everywhere = (text: string): Record<string, string> =>
  new Proxy<Record<string, string>>({}, { get: () => text, has: () => true });
