import test from 'ava';
import type { ContainerGroupSpec } from '../../../src/cloud/container-groups.ts';
import { groupName, groupToken } from '../../../src/virtualnode/translate/group.ts';
import { POD_UID, podOf, ran, settings, translated } from './pods.ts';
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

const SERVICE = 'acs:ram::1609982529000000:role/role-assume';
const USER = 'acs:ram::1298452580000000:role/role-acr';

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
  [{ 'eci-private-ip-address': '10.0.1.7' }, { privateIpAddress: '10.0.1.7' }],
  [{ 'eci-fixed-ip': 'true', 'eci-fixed-ip-retain-hour': '24' }, { fixedIp: { retainHours: 24 } }],
  [{ 'eci-fixed-ip': 'false', 'eci-fixed-ip-retain-hour': '24' }, { fixedIp: undefined }],
  [{ 'eci-ntp-server': '100.100.5.1, ntp.example.com' }, { ntpServers: ['100.100.5.1', 'ntp.example.com'] }],
  [{ 'eci-core-pattern': '/dumps/core.%e' }, { corePattern: '/dumps/core.%e' }],
  [
    { 'eci-cpu-option-core': '2', 'eci-cpu-option-ht': '1', 'eci-use-specs': 'ecs.c6.xlarge' },
    { cpuOptions: { cores: 2, threadsPerCore: 1 } },
  ],
  [
    { 'plain-http-registry': 'reg*.example.com:80,10.0.0.5:5000' },
    { plainHttpRegistries: ['reg*.example.com:80', '10.0.0.5:5000'] },
  ],
  [{ 'insecure-registry': 'harbor.example.com' }, { insecureRegistries: ['harbor.example.com'] }],
  [{ 'acr-instance-id': 'cri-a' }, { acrInstances: [{ instanceId: 'cri-a' }] }],
  [
    { 'acr-instance-ids': 'cri-a,cn-beijing:cri-b' },
    { acrInstances: [{ instanceId: 'cri-a' }, { instanceId: 'cri-b', regionId: 'cn-beijing' }] },
  ],
  [{ 'eci-spot-strategy': ' ' }, { spotStrategy: undefined }],
  [{ 'acr-service-arns': SERVICE }, { acrInstances: [{ arnService: SERVICE, arnUser: undefined }] }],
  [
    { 'acr-instance-ids': 'cri-a,cri-b', 'acr-service-arns': SERVICE, 'acr-user-arns': `${USER},${USER}2` },
    {
      acrInstances: [
        { instanceId: 'cri-a', arnService: SERVICE, arnUser: USER },
        { instanceId: 'cri-b', arnService: SERVICE, arnUser: `${USER}2` },
      ],
    },
  ],
  [{ 'eci-enable-ipv6': 'true', 'eci-ipv6-bandwidth-enable': 'true' }, { ipv6Bandwidth: { mbps: undefined } }],
  [
    { 'eci-enable-ipv6': 'true', 'eci-ipv6-bandwidth-enable': 'true', 'eci-ipv6-bandwidth': '100M' },
    { ipv6AddressCount: 1, ipv6Bandwidth: { mbps: 100 } },
  ],
  [{ 'eci-ipv6-bandwidth-enable': 'false' }, { ipv6Bandwidth: undefined }],
  [{ 'eci-compute-category': 'economy,general' }, { computeCategories: ['economy', 'general'] }],
  [{ 'eci-gpu-driver-version': 'tesla=525.85.12' }, { gpuDriverVersion: 'tesla=525.85.12' }],
  [{ 'eci-max-pending-minute': '30' }, { maxPendingMinutes: 30 }],
  [
    { 'eci-custom-hosts': '[{"host":"a.com","ip":"10.0.0.9"},{"host":"b.com","ip":"10.0.0.9"}]' },
    { hostAliases: [{ ip: '10.0.0.9', hostnames: ['a.com', 'b.com'] }] },
  ],
  // What these ask for happens here in any case.
  [{ 'eci-fail-strategy': 'fail-back', 'pod-fail-on-create-err': 'false', 'eci-reschedule-enable': 'true' }, {}],
  [{ 'eci-sls-enable': 'false', 'eci-spot-fallback': 'false', 'eci-eviction-enable': 'false' }, {}],
];

for (const [annotations, spec] of annotationRows)
  test(`the annotations ${JSON.stringify(annotations)} are honoured`, (t) => {
    const prefixed = Object.entries(annotations).map(([key, value]) => [`k8s.aliyun.com/${key}`, value]);
    const result = ran(podOf({ annotations: Object.fromEntries(prefixed) as Record<string, string> }));
    t.like(result.spec, { clientToken: result.spec.clientToken, ...spec });
    t.deepEqual(result.notes, []);
  });

test('custom tags come after those that prove whose the instance is', (t) => {
  const { spec } = ran(podOf({ annotations: { 'k8s.aliyun.com/eci-custom-tags': 'env:prod,url:http://x' } }));
  t.deepEqual(spec.tags.slice(4), [
    { key: 'env', value: 'prod' },
    { key: 'url', value: 'http://x' },
  ]);
});

test('bandwidth limits in Kubernetes’ own annotations are bytes per second, as ECI documents them: 40M are 320 Mbit/s', (t) => {
  const rows = [
    ['10M', 10_000_000],
    ['1Gi', 1_073_741_824],
    ['40MB', 40_000_000],
    ['1.5K', 1_500],
    ['2TB', 2e12],
    ['512B', 512],
    ['1024000', 1_024_000],
  ] as const;
  for (const [text, bytes] of rows) {
    const annotations = { 'kubernetes.io/ingress-bandwidth': text, 'kubernetes.io/egress-bandwidth': '1' };
    t.like(ran(podOf({ annotations })).spec, { ingressBandwidth: bytes, egressBandwidth: 1 }, text);
  }
});

test('a path of a data cache is a volume of the kind hostPath, with the bucket that an annotation names', (t) => {
  const volumes = [{ name: 'model', hostPath: { path: '/model/test', type: 'Directory' } }];
  const annotations = {
    'k8s.aliyun.com/eci-data-cache-bucket': ' default ',
    'k8s.aliyun.com/eci-data-cache-pl': 'PL1',
    'k8s.aliyun.com/eci-data-cache-provisionedIops': '40000',
    'k8s.aliyun.com/eci-data-cache-burstingEnabled': 'true',
  };
  const { spec, notes } = ran(podOf({ annotations, volumes }));
  t.deepEqual(spec.volumes, [{ name: 'model', hostPath: { path: '/model/test', type: 'Directory' } }]);
  t.deepEqual(spec.dataCache, {
    bucket: 'default',
    performanceLevel: 'PL1',
    provisionedIops: 40_000,
    isBursting: true,
  });
  t.deepEqual(notes, []);
  const unused = ran(podOf({ annotations }));
  t.is(unused.spec.dataCache, undefined, 'nobody was asked whether its bucket may be named');
  t.regex(unused.notes[0]?.problem ?? '', /no volume of the kind hostPath/);
  for (const without of [{}, { 'k8s.aliyun.com/eci-data-cache-bucket': ' ' }])
    t.is(translated(podOf({ annotations: without, volumes })).kind, 'refused', 'there is no host');
});

test('an annotation that only the managed virtual node honours is left out, and that is said', (t) => {
  const annotations = { 'k8s.aliyun.com/eci-privatepool-id': 'eap-1', 'k8s.aliyun.com/eci-eviction-enable': 'true' };
  t.deepEqual(
    ran(podOf({ annotations })).notes.map(({ field, remedy }) => [field, remedy]),
    [
      [
        'metadata.annotations[k8s.aliyun.com/eci-eviction-enable]',
        'set limits for ephemeral-storage in emptyDir volumes',
      ],
      ['metadata.annotations[k8s.aliyun.com/eci-privatepool-id]', 'leave it out; the instance runs without it'],
    ],
  );
});

test('name servers of the annotation that come behind those of the cluster are used, and that is said', (t) => {
  const annotations = {
    'k8s.aliyun.com/eci-custom-dnsconfig':
      '{"nameservers":"20.1.0.2,20.1.0.3","searches":"x.com","options":"ndots:2,edns0"}',
  };
  const behind = ran(podOf({ annotations }));
  t.is(behind.spec.dnsPolicy, 'None');
  t.deepEqual(behind.spec.dnsConfig, {
    nameServers: ['172.21.0.10', '20.1.0.2', '20.1.0.3'],
    searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'x.com'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
  });
  t.deepEqual(
    behind.notes.map(({ field, remedy }) => [field, remedy]),
    [['metadata.annotations[k8s.aliyun.com/eci-custom-dnsconfig]', 'write dnsPolicy: Default']],
  );
  const first = ran(podOf({ annotations, dnsPolicy: 'Default' }));
  t.deepEqual([first.spec.dnsConfig?.nameServers, first.notes], [['20.1.0.2', '20.1.0.3'], []]);
  const searches = { 'k8s.aliyun.com/eci-custom-dnsconfig': '{"searches":"x.com"}' };
  t.deepEqual(ran(podOf({ annotations: searches })).notes, []);
});

test('the type of a path of a data cache that ECI cannot be told is left out, and that is said', (t) => {
  const annotations = { 'k8s.aliyun.com/eci-data-cache-bucket': 'b' };
  for (const [type, ...said] of [
    ['DirectoryOrCreate', 'spec.volumes[m].hostPath.type'],
    ['Socket', 'spec.volumes[m].hostPath.type'],
    ['File'],
    [''],
  ] as const) {
    const { spec, notes } = ran(podOf({ annotations, volumes: [{ name: 'm', hostPath: { path: '/m', type } }] }));
    t.deepEqual(
      notes.map(({ field }) => field),
      said,
      type,
    );
    const [volume] = spec.volumes ?? [];
    t.is(volume && 'hostPath' in volume && volume.hostPath.type, type === 'File' ? 'File' : undefined);
  }
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
