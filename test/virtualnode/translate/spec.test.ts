import test from 'ava';
import type { ContainerGroupSpec, ContainerSpec } from '../../../src/cloud/container-groups.ts';
import { groupName, groupToken } from '../../../src/virtualnode/translate/group.ts';
import type { WorkloadContainer } from '../../../src/virtualnode/workload-pod.ts';
import { app, POD_UID, podOf, ran, ranApp, settings } from './pods.ts';
import type { InputChange, PodChange } from './pods.ts';

test('the plainest pod becomes the plainest group, tagged as this cluster’s, this node’s and this pod’s', (t) => {
  t.deepEqual(ran(podOf(), { settings: { clusterDNS: [] } }), {
    kind: 'spec',
    notes: [],
    spec: {
      clientToken: groupToken(settings.clusterUid, POD_UID),
      containerGroupName: 'shop-web-0',
      securityGroupId: 'sg-1',
      vSwitchIds: ['vsw-1', 'vsw-2'],
      zoneId: 'cn-hangzhou-k',
      cpu: 1,
      memory: 2,
      restartPolicy: 'Always',
      hostName: 'web-0',
      dnsPolicy: 'Default',
      containers: [{ name: 'app', image: 'nginx:1.29' }],
      tags: [
        { key: 'knative-eip/cluster-uid', value: settings.clusterUid },
        { key: 'knative-eip/node', value: 'vnode-1' },
        { key: 'knative-eip/pod-uid', value: POD_UID },
        { key: 'knative-eip/pod', value: 'shop/web-0' },
      ],
      eip: {},
    },
  });
});

interface PodRow {
  readonly title: string;
  readonly pod: PodChange;
  readonly input?: InputChange;
  readonly spec: Partial<ContainerGroupSpec>;
}

const podRows: readonly PodRow[] = [
  { title: 'restartPolicy Never', pod: { restartPolicy: 'Never' }, spec: { restartPolicy: 'Never' } },
  { title: 'restartPolicy OnFailure', pod: { restartPolicy: 'OnFailure' }, spec: { restartPolicy: 'OnFailure' } },
  { title: 'hostname', pod: { hostname: 'db' }, spec: { hostName: 'db' } },
  {
    title: 'a name that is too long for a host',
    pod: { name: `${'a'.repeat(62)}.b` },
    spec: { hostName: 'a'.repeat(62), containerGroupName: `shop-${'a'.repeat(62)}-b` },
  },
  { title: 'a name of one letter is no host name of ECI', pod: { name: 'a' }, spec: { hostName: undefined } },
  {
    title: 'grace period and deadline',
    pod: { terminationGracePeriodSeconds: 300, activeDeadlineSeconds: 3600 },
    spec: { terminationGracePeriodSeconds: 300, activeDeadlineSeconds: 3600 },
  },
  { title: 'shared process namespace', pod: { shareProcessNamespace: true }, spec: { shareProcessNamespace: true } },
  {
    title: 'host aliases',
    pod: { hostAliases: [{ ip: '10.0.0.9', hostnames: ['a', 'b'] }, { ip: '10.0.0.8' }] },
    spec: {
      hostAliases: [
        { ip: '10.0.0.9', hostnames: ['a', 'b'] },
        { ip: '10.0.0.8', hostnames: [] },
      ],
    },
  },
  {
    title: 'sysctls',
    pod: { securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '1024' }] } },
    spec: { sysctls: [{ name: 'net.core.somaxconn', value: '1024' }] },
  },
  {
    title: 'init containers',
    pod: { initContainers: [{ name: 'first', image: 'busybox', command: ['true'] }] },
    spec: { initContainers: [{ name: 'first', image: 'busybox', command: ['true'] }] },
  },
  {
    title: 'the user of the pod goes for its init containers, who need no check of root then',
    pod: {
      securityContext: { runAsUser: 1000, runAsNonRoot: true },
      initContainers: [{ name: 'first', image: 'busybox' }],
    },
    spec: {
      initContainers: [{ name: 'first', image: 'busybox', runAsUser: 1000 }],
      containers: [{ name: 'app', image: 'nginx:1.29', runAsUser: 1000, runAsNonRoot: true }],
    },
  },
  {
    title: 'the EIP parameters',
    pod: {},
    input: { eip: { autoCreateEip: true, eipBandwidth: 5 } },
    spec: { eip: { autoCreateEip: true, eipBandwidth: 5 } },
  },
  {
    title: 'resource group and tags of the node',
    pod: {},
    input: {
      settings: {
        resourceGroupId: 'rg-1',
        tags: [
          { key: 'team', value: 'blue' },
          { key: 'knative-eip/node', value: 'forged' },
        ],
      },
    },
    spec: {
      resourceGroupId: 'rg-1',
      tags: [...(ran(podOf()).spec.tags ?? []), { key: 'team', value: 'blue' }],
    },
  },
];

for (const { title, pod, input, spec } of podRows)
  test(`of a pod: ${title}`, (t) => {
    const result = ran(podOf(pod), input);
    t.like(result.spec, spec);
    t.deepEqual(result.notes, []);
  });

const annotationRows: readonly (readonly [annotations: Record<string, string>, spec: Partial<ContainerGroupSpec>])[] = [
  [{ 'eci-vswitch': 'vsw-a, vsw-b' }, { vSwitchIds: ['vsw-a', 'vsw-b'], zoneId: undefined }],
  [{ 'eci-security-group': 'sg-a' }, { securityGroupId: 'sg-a' }],
  [{ 'eci-schedule-strategy': 'VSwitchRandom' }, { scheduleStrategy: 'VSwitchRandom' }],
  [
    { 'eci-use-specs': 'ecs.c6.large, 2-4Gi' },
    { instanceTypes: ['ecs.c6.large', '2-4Gi'], cpu: undefined, memory: undefined },
  ],
  [{ 'eci-schedule-strategy': 'vSwitchOrdered' }, { scheduleStrategy: 'VSwitchOrdered' }],
  [{ 'eci-use-specs': '4-4Gi' }, { instanceTypes: undefined, cpu: 4, memory: 4 }],
  [{ 'eci-instance-type': 'ecs.c6.large' }, { instanceTypes: ['ecs.c6.large'], cpu: undefined }],
  [{ 'eci-resource-group-id': 'rg-2' }, { resourceGroupId: 'rg-2' }],
  [{ 'eci-spot-strategy': 'SpotAsPriceGo' }, { spotStrategy: 'SpotAsPriceGo' }],
  [
    { 'eci-spot-strategy': 'SpotWithPriceLimit', 'eci-spot-price-limit': '0.125', 'eci-spot-duration': '1' },
    { spotStrategy: 'SpotWithPriceLimit', spotPriceLimit: 0.125, spotDuration: 1 },
  ],
  [{ 'eci-ram-role-name': 'PodRole' }, { ramRoleName: 'PodRole' }],
  [{ 'eci-imc-id': 'imc-1' }, { imageSnapshotId: 'imc-1' }],
  [{ 'eci-image-cache': 'true' }, { autoMatchImageCache: true, imageSnapshotId: undefined }],
  [{ 'eci-image-snapshot-id': 'imc-3' }, { imageSnapshotId: 'imc-3' }],
  [{ 'eci-auto-imc': 'true' }, { autoMatchImageCache: true }],
  [{ 'eci-extra-ephemeral-storage': '50Gi' }, { ephemeralStorage: 50 }],
  [{ 'eci-enable-ipv6': 'true' }, { ipv6AddressCount: 1 }],
  [{ 'eci-enable-ipv6': 'false' }, { ipv6AddressCount: undefined }],
  [{ 'eci-spot-strategy': ' ' }, { spotStrategy: undefined }],
];

for (const [annotations, spec] of annotationRows)
  test(`the annotations ${JSON.stringify(annotations)} are honoured`, (t) => {
    const prefixed = Object.entries(annotations).map(([key, value]) => [`k8s.aliyun.com/${key}`, value]);
    const result = ran(podOf({ annotations: Object.fromEntries(prefixed) as Record<string, string> }));
    t.like(result.spec, spec);
    t.deepEqual(result.notes, []);
  });

test('custom tags come after those that prove whose the instance is', (t) => {
  const { spec } = ran(podOf({ annotations: { 'k8s.aliyun.com/eci-custom-tags': 'env:prod,url:http://x' } }));
  t.deepEqual(spec.tags.slice(4), [
    { key: 'env', value: 'prod' },
    { key: 'url', value: 'http://x' },
  ]);
});

test('bandwidth limits in Kubernetes’ own annotations are bits per second', (t) => {
  const annotations = { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '1Gi' };
  t.like(ran(podOf({ annotations })).spec, { ingressBandwidth: 10_000_000, egressBandwidth: 1_073_741_824 });
});

test('an annotation that only the managed virtual node honours is left out, and that is said', (t) => {
  const { notes } = ran(podOf({ annotations: { 'k8s.aliyun.com/eci-fixed-ip': 'true' } }));
  t.deepEqual(
    notes.map(({ field }) => field),
    ['metadata.annotations[k8s.aliyun.com/eci-fixed-ip]'],
  );
});

interface ContainerRow {
  readonly title: string;
  readonly container: Partial<WorkloadContainer>;
  readonly pod?: PodChange;
  readonly spec: Partial<ContainerSpec>;
}

const ports = [{ name: 'http', containerPort: 8080 }];
const containerRows: readonly ContainerRow[] = [
  {
    title: 'command, args and the rest that is the same in both',
    container: {
      command: ['sh', '-c'],
      args: ['sleep 1'],
      imagePullPolicy: 'Always',
      workingDir: '/work',
      stdin: true,
      stdinOnce: true,
      tty: true,
      terminationMessagePath: '/dev/end',
      terminationMessagePolicy: 'FallbackToLogsOnError',
    },
    spec: {
      command: ['sh', '-c'],
      arg: ['sleep 1'],
      imagePullPolicy: 'Always',
      workingDir: '/work',
      stdin: true,
      stdinOnce: true,
      tty: true,
      terminationMessagePath: '/dev/end',
      terminationMessagePolicy: 'FallbackToLogsOnError',
    },
  },
  {
    title: 'limits, in vCPU and GiB',
    container: { resources: { limits: { cpu: '250m', memory: '300Mi' } } },
    spec: { cpu: 0.25, memory: 0.293 },
  },
  {
    title: 'a request bounds nobody',
    container: { resources: { requests: { cpu: '2', memory: '4Gi' } } },
    spec: { cpu: undefined, memory: undefined },
  },
  {
    title: 'GPUs',
    container: { resources: { limits: { 'nvidia.com/gpu': '1' } } },
    pod: { annotations: { 'k8s.aliyun.com/eci-use-specs': 'ecs.gn6i-c4g1.xlarge' } },
    spec: { gpu: 1 },
  },
  {
    title: 'ports',
    container: { ports: [...ports, { containerPort: 53, protocol: 'UDP' }] },
    spec: {
      port: [
        { port: 8080, protocol: 'TCP' },
        { port: 53, protocol: 'UDP' },
      ],
    },
  },
  {
    title: 'an HTTP probe on a named port',
    container: {
      ports,
      readinessProbe: {
        httpGet: { path: '/ready', port: 'http', scheme: 'HTTPS' },
        initialDelaySeconds: 1,
        periodSeconds: 2,
        timeoutSeconds: 3,
        successThreshold: 4,
        failureThreshold: 5,
      },
    },
    spec: {
      readinessProbe: {
        httpGet: { path: '/ready', port: 8080, scheme: 'HTTPS' },
        initialDelaySeconds: 1,
        periodSeconds: 2,
        timeoutSeconds: 3,
        successThreshold: 4,
        failureThreshold: 5,
      },
    },
  },
  {
    title: 'an HTTP probe with defaults, and times of zero that mean them',
    container: { livenessProbe: { httpGet: { port: 80 }, periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0 } },
    spec: { livenessProbe: { httpGet: { path: '/', port: 80, scheme: 'HTTP' } } },
  },
  {
    title: 'a TCP probe of the instance itself',
    container: { readinessProbe: { tcpSocket: { port: '81', host: '127.0.0.1' } } },
    spec: { readinessProbe: { tcpSocket: { port: 81 } } },
  },
  {
    title: 'an exec probe',
    container: { livenessProbe: { exec: { command: ['true'] } } },
    spec: { livenessProbe: { exec: { command: ['true'] } } },
  },
  {
    title: 'hooks, which may have headers and hosts',
    container: {
      ports,
      lifecycle: {
        postStart: { exec: { command: ['echo'] } },
        preStop: { httpGet: { port: 'http', host: 'h', httpHeaders: [{ name: 'X', value: 'y' }] } },
      },
    },
    spec: {
      postStart: { exec: ['echo'] },
      preStop: {
        httpGet: { host: 'h', path: '/', port: 8080, scheme: 'HTTP', headers: [{ name: 'X', value: 'y' }] },
      },
    },
  },
  {
    title: 'a TCP hook',
    container: { lifecycle: { preStop: { tcpSocket: { port: 9, host: 'h' } } } },
    spec: { preStop: { tcpSocket: { port: 9, host: 'h' } } },
  },
  {
    title: 'its own security context before the pod’s',
    container: {
      securityContext: {
        runAsUser: 0,
        runAsGroup: 5,
        readOnlyRootFilesystem: true,
        capabilities: { add: ['NET_ADMIN'] },
      },
    },
    pod: { securityContext: { runAsUser: 1, runAsGroup: 2, runAsNonRoot: false } },
    spec: {
      runAsUser: 0,
      runAsGroup: 5,
      runAsNonRoot: false,
      readOnlyRootFilesystem: true,
      addCapabilities: ['NET_ADMIN'],
    },
  },
];

for (const { title, container, pod, spec } of containerRows)
  test(`of a container: ${title}`, (t) => {
    const result = ran(podOf({ containers: [app(container)], ...pod }));
    t.like(result.spec.containers[0], spec);
    t.deepEqual(result.notes, []);
  });

test('a hook that sleeps becomes the command, and what that needs is said', (t) => {
  const { spec, notes } = ran(podOf({ containers: [app({ lifecycle: { preStop: { sleep: { seconds: 5 } } } })] }));
  t.deepEqual(spec.containers[0]?.preStop, { exec: ['sleep', '5'] });
  t.deepEqual(
    notes.map(({ field }) => field),
    ['spec.containers[app].lifecycle.preStop.sleep'],
  );
});

test('a group of files is left out, and that is said', (t) => {
  const { notes } = ran(podOf({ securityContext: { fsGroup: 0, supplementalGroups: [] } }));
  t.deepEqual(
    notes.map(({ field }) => field),
    ['spec.securityContext.fsGroup'],
  );
});

type Resources = Readonly<Record<string, string | number>>;
const sizes: readonly (readonly [what: string, requests: readonly Resources[], cpu: number, memory: number])[] = [
  ['nothing', [{}], 1, 2],
  ['a little', [{ cpu: '1m' }], 0.25, 0.5],
  ['memory alone', [{ memory: '3Gi' }], 1, 4],
  [
    'the sum',
    [
      { cpu: '500m', memory: '1Gi' },
      { cpu: '500m', memory: '1Gi' },
    ],
    1,
    2,
  ],
  ['ten tenths', Array.from({ length: 10 }, () => ({ cpu: 0.1 })), 1, 2],
  ['cpu alone, two GiB for each', [{ cpu: '2' }], 2, 4],
  ['cpu between two sizes', [{ cpu: '5' }], 8, 16],
  ['little memory', [{ cpu: '2', memory: '200Mi' }], 2, 1],
  ['memory between two sizes', [{ cpu: '2', memory: '9Gi' }], 2, 16],
  ['a ratio that the size does not have', [{ cpu: '250m', memory: '5Gi' }], 1, 8],
  ['the largest', [{ cpu: '64', memory: '512Gi' }], 64, 512],
  ['an exponent', [{ cpu: '1e0', memory: '2e9' }], 1, 2],
];

for (const [what, requests, cpu, memory] of sizes)
  test(`the instance is the smallest that holds ${what}: ${cpu} vCPU and ${memory} GiB`, (t) => {
    const containers = requests.map((each, index) => app({ name: `c${index}`, resources: { requests: each } }));
    t.like(ran(podOf({ containers })).spec, { cpu, memory });
  });

test('a container that says so has no part in the size', (t) => {
  const ignored = { name: '__ECI_RESOURCE_IGNORE__', value: 'TRUE' };
  const resources = { requests: { cpu: '1', memory: '2Gi' } };
  const containers = [app({ resources }), app({ name: 'side', resources, env: [ignored] })];
  t.like(ran(podOf({ containers })).spec, { cpu: 1, memory: 2 });
});

test('a limit above the request and an init container above the sum count', (t) => {
  const resources = { requests: { cpu: '1' }, limits: { cpu: '2' } };
  t.like(ran(podOf({ containers: [app({ resources })] })).spec, { cpu: 2, memory: 4 });
  const initContainers = [{ name: 'first', image: 'busybox', resources: { requests: { cpu: '4' } } }];
  t.like(ran(podOf({ initContainers })).spec, { cpu: 4, memory: 8 });
});

const cluster = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];
const ndots = { name: 'ndots', value: '5' };
const dnsRows: readonly (readonly [title: string, pod: PodChange, dns: ContainerGroupSpec['dnsConfig']])[] = [
  ['ClusterFirst by default', {}, { nameServers: ['172.21.0.10'], searches: cluster, options: [ndots] }],
  ['Default', { dnsPolicy: 'Default' }, undefined],
  [
    'None with a configuration',
    { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'rotate' }] } },
    { nameServers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'rotate' }] },
  ],
  [
    'ClusterFirst with more, of which the pod’s options win and three name servers stay',
    {
      dnsPolicy: 'ClusterFirst',
      dnsConfig: {
        nameservers: ['1.1.1.1', '172.21.0.10', '2.2.2.2', '3.3.3.3'],
        searches: ['x', 'cluster.local'],
        options: [{ name: 'ndots', value: '1' }],
      },
    },
    {
      nameServers: ['172.21.0.10', '1.1.1.1', '2.2.2.2'],
      searches: [...cluster, 'x'],
      options: [{ name: 'ndots', value: '1' }],
    },
  ],
  [
    'Default with name servers',
    { dnsPolicy: 'Default', dnsConfig: { nameservers: ['1.1.1.1'] } },
    { nameServers: ['1.1.1.1'], searches: [], options: [] },
  ],
];

for (const [title, pod, dnsConfig] of dnsRows)
  test(`DNS: ${title}`, (t) => {
    const { spec } = ran(podOf(pod));
    t.is(spec.dnsPolicy, dnsConfig ? 'None' : 'Default');
    t.deepEqual(spec.dnsConfig, dnsConfig);
  });

test('DNS: search domains without name servers cannot be said, and are left out aloud', (t) => {
  const { spec, notes } = ran(podOf({ dnsPolicy: 'Default', dnsConfig: { searches: ['x'] } }));
  t.is(spec.dnsPolicy, 'Default');
  t.deepEqual(
    notes.map(({ field }) => field),
    ['spec.dnsConfig'],
  );
});

test('the token is the same for a pod each time, and another for another pod or cluster', (t) => {
  const tokens = [groupToken('c', 'p'), groupToken('c', 'q'), groupToken('d', 'p'), groupToken('cp', '')];
  t.is(new Set(tokens).size, 4);
  t.is(tokens[0], groupToken('c', 'p'));
  for (const token of tokens) t.regex(token, /^[\x21-\x7e]{1,64}$/);
});

test('names that are too long are cut with a hash of the pod’s UID', (t) => {
  const long = groupName('n'.repeat(60), 'p'.repeat(200), 'uid-1');
  t.is(long.length, 128);
  t.not(long, groupName('n'.repeat(60), 'p'.repeat(200), 'uid-2'));
  t.regex(groupName('', '...', 'uid-1'), /^pod-[0-9a-f]{10}$/);
});

test('a container without variables, ports and mounts has none on the wire', (t) => {
  t.deepEqual(ranApp({ env: [], ports: [], volumeMounts: [], command: [] }), { name: 'app', image: 'nginx:1.29' });
});
