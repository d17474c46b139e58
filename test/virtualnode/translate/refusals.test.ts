import test from 'ava';
import { remarkLine } from '../../../src/virtualnode/translate/input.ts';
import type { WorkloadContainer } from '../../../src/virtualnode/workload-pod.ts';
import { app, podOf, refusalsOf, translated } from './pods.ts';
import type { PodChange } from './pods.ts';

interface Row {
  readonly pod: PodChange;
  /** The fields of the refusals, in order. */
  readonly fields: readonly string[];
  /** What the lines of all of them together must say. */
  readonly says: RegExp;
}

const of = (container: Partial<WorkloadContainer>): PodChange => ({ containers: [app(container)] });
const annotation = (key: string, value: string): PodChange => ({ annotations: { [`k8s.aliyun.com/${key}`]: value } });
const volume = (source: object): PodChange => ({ volumes: [{ name: 'v', ...source }] });
const first = (container: Partial<WorkloadContainer>): PodChange => ({
  initContainers: [{ name: 'first', image: 'busybox', ...container }],
});
const long = 'x'.repeat(257);
const many = (count: number) => Array.from({ length: count }, (_, index) => index);

const rows: Readonly<Record<string, Row>> = {
  'a value of 257 characters': {
    pod: of({ env: [{ name: 'A', value: long }] }),
    fields: ['spec.containers[app].env[A]'],
    says: /has 257 characters, and ECI takes at most 256; mount it as a file/,
  },
  'a value that is too long once it is expanded': {
    pod: of({
      env: [
        { name: 'A', value: 'x'.repeat(200) },
        { name: 'B', value: '$(A)$(A)' },
      ],
    }),
    fields: ['spec.containers[app].env[B]'],
    says: /400 characters/,
  },
  'a variable with a colon': {
    pod: of({ env: [{ name: 'a:b', value: '1' }] }),
    fields: ['spec.containers[app].env[a:b]'],
    says: /letters, digits, _, - and \./,
  },
  '241 variables': {
    pod: of({ env: many(241).map((index) => ({ name: `V${index}`, value: '1' })) }),
    fields: ['spec.containers[app].env'],
    says: /241 variables, and ECI takes at most 240/,
  },
  'a field that has no value on ECI': {
    pod: of({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.whatever' } } }] }),
    fields: ['spec.containers[app].env[A]'],
    says: /spec\.whatever has no value on ECI/,
  },
  'a source of values that is newer than this': {
    pod: of({ env: [{ name: 'A', valueFrom: { fileKeyRef: {} } as object }] }),
    fields: ['spec.containers[app].env[A]'],
    says: /source of a value is unknown/,
  },
  'the instance’s address within a text': {
    pod: of({
      env: [
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'URL', value: 'http://$(IP)/' },
      ],
      args: ['--ip=$(IP)'],
    }),
    fields: ['spec.containers[app].env[URL]', 'spec.containers[app].args[0]'],
    says: /\$\(IP\) is the instance's own address/,
  },
  'the limit of a resource that an instance does not show': {
    pod: of({ env: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.ephemeral-storage' } } }] }),
    fields: ['spec.containers[app].env[A]'],
    says: /set resources\.limits\.ephemeral-storage/,
  },
  'probes of another host': {
    pod: of({
      readinessProbe: { httpGet: { port: 80, host: 'other' } },
      livenessProbe: { tcpSocket: { port: 80, host: 'other' } },
    }),
    fields: ['spec.containers[app].readinessProbe.httpGet.host', 'spec.containers[app].livenessProbe.tcpSocket.host'],
    says: /probes the instance itself, not other; leave host out/,
  },
  'ports without a number': {
    pod: of({ readinessProbe: { httpGet: { port: 'web' } }, livenessProbe: { tcpSocket: { port: 70_000 } } }),
    fields: ['spec.containers[app].readinessProbe.httpGet.port', 'spec.containers[app].livenessProbe.tcpSocket.port'],
    says: /web is neither a port number/,
  },
  'probes that do nothing': {
    pod: of({ readinessProbe: {}, livenessProbe: { exec: {} } }),
    fields: ['spec.containers[app].readinessProbe', 'spec.containers[app].livenessProbe.exec.command'],
    says: /has no action/,
  },
  'privileged containers': {
    pod: of({ securityContext: { privileged: true } }),
    fields: ['spec.containers[app].securityContext.privileged'],
    says: /run the pod on an ECS node/,
  },
  'other capabilities': {
    pod: of({ securityContext: { capabilities: { add: ['NET_RAW', 'SYS_ADMIN'] } } }),
    fields: ['spec.containers[app].securityContext.capabilities.add'],
    says: /cannot add SYS_ADMIN/,
  },
  'raw block devices': {
    pod: of({ volumeDevices: [{ name: 'd' }] }),
    fields: ['spec.containers[app].volumeDevices'],
    says: /no raw block devices/,
  },
  'other protocols': {
    pod: of({ ports: [{ containerPort: 5, protocol: 'SCTP' }] }),
    fields: ['spec.containers[app].ports[5].protocol'],
    says: /ECI has no SCTP; use TCP or UDP/,
  },
  'what is no quantity': {
    pod: of({ resources: { limits: { cpu: 'much' } } }),
    fields: ['spec.containers[app].resources.limits[cpu]'],
    says: /much is no quantity/,
  },
  'a restart policy of one container': {
    pod: of({ restartPolicy: 'Never' }),
    fields: ['spec.containers[app].restartPolicy'],
    says: /all containers of an instance have one policy/,
  },
  'an image with a name of 256 characters': {
    pod: of({ image: 'i'.repeat(256) }),
    fields: ['spec.containers[app].image'],
    says: /256 characters/,
  },
  'more arguments than the API takes': {
    pod: of({ args: many(101).map(String) }),
    fields: ['spec.containers[app].args'],
    says: /there are 101, and ECI takes at most 100/,
  },
  'GPUs without a type of instance': {
    pod: of({ resources: { limits: { 'nvidia.com/gpu': '1' } } }),
    fields: ['spec.containers[*].resources.limits[nvidia.com/gpu]'],
    says: /eci-use-specs/,
  },
  'more than an instance can be': {
    pod: of({ resources: { requests: { cpu: '65' } } }),
    fields: ['spec.containers[*].resources'],
    says: /larger than 64 vCPU/,
  },
  'sidecars among init containers': {
    pod: first({ restartPolicy: 'Always' }),
    fields: ['spec.initContainers[first].restartPolicy'],
    says: /make it one of spec\.containers/,
  },
  'what an init container cannot have': {
    pod: first({
      securityContext: { runAsGroup: 5, runAsNonRoot: true },
      lifecycle: { preStop: { exec: { command: ['true'] } } },
      livenessProbe: { tcpSocket: { port: 1 } },
      stdin: true,
      tty: true,
    }),
    fields: [
      'spec.initContainers[first].livenessProbe',
      'spec.initContainers[first].stdin',
      'spec.initContainers[first].tty',
      'spec.initContainers[first].lifecycle',
      'spec.initContainers[first].securityContext.runAsGroup',
      'spec.initContainers[first].securityContext.runAsNonRoot',
    ],
    says: /set runAsUser too/,
  },
  'the host’s namespaces': {
    pod: { hostNetwork: true, hostPID: true, hostIPC: true },
    fields: ['spec.hostNetwork', 'spec.hostPID', 'spec.hostIPC'],
    says: /an ECI instance has no host; leave it out/,
  },
  Windows: {
    pod: { securityContext: { windowsOptions: {} } },
    fields: ['spec.securityContext.windowsOptions'],
    says: /Linux/,
  },
  '21 containers': {
    pod: { containers: many(21).map((index) => app({ name: `c${index}` })) },
    fields: ['spec.containers'],
    says: /there are 21, and an instance takes at most 20/,
  },
  '21 volumes': {
    pod: { volumes: many(21).map((index) => ({ name: `v${index}`, emptyDir: {} })) },
    fields: ['spec.volumes'],
    says: /there are 21, and an instance takes at most 20; project several into one/,
  },
  'the DNS policy None without name servers': {
    pod: { dnsPolicy: 'None' },
    fields: ['spec.dnsConfig.nameservers'],
    says: /has no name servers/,
  },
  'paths of the host': {
    pod: volume({ hostPath: { path: '/' } }),
    fields: ['spec.volumes[v]'],
    says: /kind hostPath cannot be given to an ECI instance; use emptyDir.*; for a path of a data cache .*eci-data-cache-bucket/,
  },
  'drivers that run on a node': {
    pod: volume({ csi: { driver: 'diskplugin.csi.alibabacloud.com' } }),
    fields: ['spec.volumes[v]'],
    says: /kind csi/,
  },
  repositories: { pod: volume({ gitRepo: {} }), fields: ['spec.volumes[v]'], says: /kind gitRepo/ },
  'volumes without a source': { pod: volume({}), fields: ['spec.volumes[v]'], says: /kind without source/ },
  'other drivers': {
    pod: volume({ flexVolume: { driver: 'x/y' } }),
    fields: ['spec.volumes[v]'],
    says: /no driver x\/y/,
  },
  'a driver that reads a Secret': {
    pod: volume({ flexVolume: { driver: 'alicloud/oss', secretRef: { name: 's' } } }),
    fields: ['spec.volumes[v].flexVolume.secretRef'],
    says: /eci-ram-role-name/,
  },
  'huge pages': {
    pod: volume({ emptyDir: { medium: 'HugePages' } }),
    fields: ['spec.volumes[v].emptyDir.medium'],
    says: /write Memory/,
  },
  'the instance’s address in a file': {
    pod: volume({ downwardAPI: { items: [{ path: 'ip', fieldRef: { fieldPath: 'status.podIP' } }] } }),
    fields: ['spec.volumes[v].downwardAPI[ip]'],
    says: /take the address from an environment variable/,
  },
};

for (const [title, { pod, fields, says }] of Object.entries(rows))
  test(`refused by name: ${title}`, (t) => {
    const refusals = refusalsOf(podOf(pod));
    t.deepEqual(
      refusals.map(({ field }) => field),
      fields,
    );
    t.regex(refusals.map(remarkLine).join('\n'), says);
    for (const { problem, remedy } of refusals) t.true(problem.length > 0 && remedy.length > 0);
    t.notRegex(JSON.stringify(refusals), /planted/);
  });

const unreadable: Readonly<Record<string, readonly string[]>> = {
  'eci-vswitch': [
    'sg-1',
    'vsw-1,,vsw-2',
    many(11)
      .map((index) => `vsw-${index}`)
      .join(','),
  ],
  'eci-security-group': ['sg-a,sg-b', 'default'],
  'eci-schedule-strategy': ['random'],
  'eci-use-specs': ['ecs.c6.large,ecs.c5.large,a.b,a.c,a.d,a.e', '2-4', 'Large'],
  'eci-spot-strategy': ['cheap', 'SpotWithPriceLimit'],
  'eci-spot-price-limit': ['0.1234', '-1', 'free'],
  'eci-spot-duration': ['2', '0.5'],
  'eci-ram-role-name': ['a role'],
  'eci-auto-imc': ['yes'],
  'eci-imc-id': ['imc 1'],
  'eci-extra-ephemeral-storage': ['50G', '0Gi'],
  'eci-enable-ipv6': ['1'],
  'eci-private-ip-address': ['10.0.0', 'fd00::1', '10.0.0.1,10.0.0.2'],
  'eci-fixed-ip': ['yes'],
  'eci-fixed-ip-retain-hour': ['0', '1.5'],
  'acr-service-arns': ['role/a', 'acs:ram::x:role/a'],
  'acr-user-arns': ['acs:ram::1:user/a', 'acs:ram::1:role/a'],
  'eci-ipv6-bandwidth-enable': ['yes', 'true'],
  'eci-ipv6-bandwidth': ['0', '2001M', '1G', '100M'],
  'eci-compute-category': ['cheap', 'economy,general,economy'],
  'eci-gpu-driver-version': ['525.85.12', 'tesla='],
  'eci-max-pending-minute': ['9', '1441', '10.5'],
  'eci-fail-strategy': ['fail'],
  'pod-fail-on-create-err': ['yes'],
  'eci-custom-hosts': ['{}', '[{"host":"a b","ip":"10.0.0.9"}]', '[{"host":"a","ip":"b"}]', '[null]', 'a'],
  'eci-custom-dnsconfig': ['[]', '{"nameservers":["10.0.0.2"]}', '{"nameservers":"a.com"}', '{"servers":""}'],
  'eci-data-cache-bucket': ['a/b', 'a:/b'],
  'eci-data-cache-pl': ['PL4'],
  'eci-data-cache-provisionedIops': ['50001'],
  'eci-data-cache-burstingEnabled': ['yes'],
  'eci-ntp-server': ['-x', 'a b', 'a,,b'],
  'eci-core-pattern': ['core', '|/bin/sh', '/a b'],
  'eci-cpu-option-core': ['0', 'two'],
  'eci-cpu-option-ht': ['3'],
  'plain-http-registry': ['http://a', 'a:b'],
  'insecure-registry': ['a/b'],
  'acr-instance-ids': ['mine', 'cri-a,b', 'a:b:cri-c'],
  'eci-custom-tags': ['a', 'a:1,b:2,c:3,d:4', 'knative-eip/pod-uid:forged', 'aliyun-x:1'],
};

for (const [key, values] of Object.entries(unreadable))
  for (const value of values)
    test(`refused, since a guess would be paid for: ${key} ${JSON.stringify(value)}`, (t) => {
      t.deepEqual(
        refusalsOf(podOf(annotation(key, value))).map(({ field }) => field),
        [`metadata.annotations[k8s.aliyun.com/${key}]`],
      );
    });

const arns = (count: number) => Array.from({ length: count }, (_, at) => `acs:ram::1:role/r${at}`).join(',');

/** The keys that are refused of a pod with so many of each. */
const refusedWith = (ids: number, services: number, users: number) => {
  const written = {
    'acr-instance-ids': Array.from({ length: ids }, (_, at) => `cri-${at}`).join(','),
    'acr-service-arns': arns(services),
    'acr-user-arns': arns(users),
  };
  const annotations = Object.fromEntries(
    Object.entries(written).map(([key, value]) => [`k8s.aliyun.com/${key}`, value]),
  );
  const translation = translated(podOf({ annotations }));
  if (translation.kind !== 'refused') return [];
  return translation.refusals.map(({ field }) => field.replaceAll(/.*\/|\]/g, ''));
};

test('roles that pull images are one for all, or one for each', (t) => {
  t.deepEqual(
    [refusedWith(2, 1, 2), refusedWith(0, 2, 2), refusedWith(3, 0, 0), refusedWith(1, 1, 1), refusedWith(0, 2, 1)],
    [[], [], [], [], []],
  );
  t.deepEqual(refusedWith(3, 2, 1), ['acr-service-arns']);
  t.deepEqual(refusedWith(1, 1, 2), ['acr-user-arns'], 'one instance, two roles');
});

test('everything that is wrong is said at once, and before what is missing', (t) => {
  const pod = podOf({
    hostNetwork: true,
    containers: [app({ readinessProbe: { exec: {} }, envFrom: [{ secretRef: { name: 'none' } }] })],
  });
  t.deepEqual(
    refusalsOf(pod).map(({ field }) => field),
    ['spec.hostNetwork', 'spec.containers[app].readinessProbe.exec.command'],
  );
});

test('a refusal is one line for an Event', (t) => {
  t.is(
    remarkLine({ field: 'spec.hostPID', problem: 'true is not possible', remedy: 'leave it out' }),
    'spec.hostPID: true is not possible; leave it out',
  );
});

test('more tags than an instance takes are refused', (t) => {
  const tags = many(16).map((index) => ({ key: `k${index}`, value: '' }));
  const pod = podOf(annotation('eci-custom-tags', 'a:1'));
  t.regex(
    refusalsOf(pod, { settings: { tags } })[0]?.problem ?? '',
    /there are 21 tags, and an instance takes at most 20/,
  );
});
