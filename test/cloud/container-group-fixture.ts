import type { ContainerGroupSpec } from '../../src/cloud/container-groups.ts';

export const PASSWORD = 'planted registry password';
export const FILE = Buffer.from('planted file content').toString('base64');
export const ENV = 'planted & environment';

export const plain: ContainerGroupSpec = {
  clientToken: 't-1',
  containerGroupName: 'ns-pod',
  securityGroupId: 'sg-1',
  vSwitchIds: ['vsw-1', 'vsw-2'],
  restartPolicy: 'Always',
  containers: [{ name: 'main', image: 'nginx' }],
  tags: [],
  eip: {},
};
export const PLAIN_QUERY = {
  RegionId: 'cn-beijing',
  ClientToken: 't-1',
  ContainerGroupName: 'ns-pod',
  SecurityGroupId: 'sg-1',
  VSwitchId: 'vsw-1,vsw-2',
  RestartPolicy: 'Always',
  'Container.1.Name': 'main',
  'Container.1.Image': 'nginx',
};

const probe = { initialDelaySeconds: 1, periodSeconds: 2, timeoutSeconds: 3, successThreshold: 1, failureThreshold: 4 };
export const PROBE = {
  InitialDelaySeconds: '1',
  PeriodSeconds: '2',
  TimeoutSeconds: '3',
  SuccessThreshold: '1',
  FailureThreshold: '4',
};

export const full: ContainerGroupSpec = {
  ...plain,
  zoneId: 'cn-beijing-a',
  scheduleStrategy: 'VSwitchRandom',
  cpu: 2,
  memory: 4.5,
  instanceTypes: ['ecs.c6.large', 'ecs.c5.large'],
  resourceGroupId: 'rg-1',
  ramRoleName: 'role',
  hostName: 'host',
  dnsPolicy: 'None',
  dnsConfig: { nameServers: ['10.0.0.10'], searches: ['a.local', 'b.local'], options: [{ name: 'ndots', value: '5' }] },
  hostAliases: [{ ip: '10.0.0.9', hostnames: ['h1', 'h2'] }],
  sysctls: [{ name: 'net.core.somaxconn', value: '1024' }],
  shareProcessNamespace: true,
  terminationGracePeriodSeconds: 30,
  activeDeadlineSeconds: 600,
  ephemeralStorage: 20,
  spotStrategy: 'SpotWithPriceLimit',
  spotPriceLimit: 0.125,
  spotDuration: 1,
  imageSnapshotId: 'imc-1',
  autoMatchImageCache: false,
  ipv6AddressCount: 1,
  privateIpAddress: '10.0.1.7',
  fixedIp: { retainHours: 24 },
  ntpServers: ['100.100.5.1', 'ntp.example.com'],
  corePattern: '/dumps/core',
  cpuOptions: { cores: 2, threadsPerCore: 1 },
  plainHttpRegistries: ['a.example', 'b.example:80'],
  insecureRegistries: ['c.example'],
  acrInstances: [
    { instanceId: 'cri-a', regionId: 'cn-beijing' },
    { instanceId: 'cri-b', arnService: 'acs:ram::1:role/a', arnUser: 'acs:ram::2:role/b' },
  ],
  ipv6Bandwidth: { mbps: 100 },
  computeCategories: ['economy', 'general'],
  gpuDriverVersion: 'tesla=525.85.12',
  maxPendingMinutes: 30,
  dataCache: { bucket: 'default', performanceLevel: 'PL1', provisionedIops: 40_000, isBursting: true },
  ingressBandwidth: 1000,
  egressBandwidth: 2000,
  registryCredentials: [{ server: 'registry.example', userName: 'user', password: PASSWORD }],
  containers: [
    {
      name: 'main',
      image: 'nginx',
      cpu: 1.5,
      memory: 2,
      gpu: 1,
      command: ['sh', '-c'],
      arg: ['sleep 1'],
      imagePullPolicy: 'IfNotPresent',
      workingDir: '/work',
      environmentVar: [
        { key: 'A', value: ENV },
        { key: 'IP', fieldPath: 'status.podIP' },
      ],
      port: [
        { port: 80, protocol: 'TCP' },
        { port: 53, protocol: 'UDP' },
      ],
      volumeMount: [
        { name: 'v', mountPath: '/v', readOnly: true, subPath: 'sub', mountPropagation: 'HostToContainer' },
      ],
      readinessProbe: { ...probe, httpGet: { path: '/ready', port: 80, scheme: 'HTTP' } },
      livenessProbe: { ...probe, exec: { command: ['true', 'x'] } },
      postStart: { exec: ['echo', 'hi'] },
      preStop: {
        httpGet: { host: 'h', path: '/stop', port: 81, scheme: 'HTTPS', headers: [{ name: 'X', value: 'y' }] },
      },
      addCapabilities: ['NET_ADMIN'],
      readOnlyRootFilesystem: true,
      runAsUser: 0,
      runAsGroup: 1,
      runAsNonRoot: false,
      stdin: true,
      stdinOnce: false,
      tty: true,
      terminationMessagePath: '/dev/end',
      terminationMessagePolicy: 'File',
    },
    {
      name: 'side',
      image: 'envoy',
      livenessProbe: { tcpSocket: { port: 9 } },
      preStop: { tcpSocket: { host: 'h', port: 7 } },
    },
  ],
  initContainers: [{ name: 'first', image: 'busybox', command: ['true'], environmentVar: [{ key: 'B', value: '' }] }],
  volumes: [
    { name: 'e', emptyDir: { medium: 'Memory', sizeLimit: '256Mi' } },
    { name: 'c', configFiles: { defaultMode: 420, files: [{ path: 'a/b', content: FILE, mode: 256 }] } },
    { name: 'n', nfs: { server: 'nas', path: '/p', readOnly: false } },
    { name: 'f', flexVolume: { driver: 'alicloud/disk', fsType: 'ext4', options: '{"volumeSize":"50"}' } },
  ],
  tags: [{ key: 'k', value: 'v' }],
};
