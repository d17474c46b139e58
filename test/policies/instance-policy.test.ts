import test from 'ava';
import type { VirtualNodeAllowances } from '../../src/api/eippolicy.ts';
import { forbiddenChoices } from '../../src/policies/instance-policy.ts';
import { effectivePolicy, UNRESTRICTED } from '../../src/policies/policy.ts';
import { instanceChoices, type ChoosingVolume } from '../../src/request/instance-choices.ts';

const K8S = 'k8s.aliyun.com/';
const CONFIGURED = { vSwitchIds: ['vsw-1', 'vsw-2'], securityGroupId: 'sg-1', resourceGroupId: 'rg-1' };

/** The fields that are refused where policies say this. */
const refused = (
  { annotations, volumes }: { annotations?: Record<string, string>; volumes?: readonly ChoosingVolume[] },
  ...allows: readonly VirtualNodeAllowances[]
): readonly string[] =>
  forbiddenChoices(
    instanceChoices(annotations, volumes),
    effectivePolicy(
      allows.map((virtualNode, n) => ({
        metadata: { name: `p${n}`, uid: '', resourceVersion: '' },
        spec: { virtualNode },
      })),
      { name: 'web' },
    ),
    CONFIGURED,
  ).map(({ choice: { key, field, value } }) => `${key?.slice(K8S.length) ?? field}=${value}`);

const annotation = (key: string, value: string) => ({ annotations: { [`${K8S}${key}`]: value } });
const flex = (driver: string, options: Record<string, string>) => ({
  volumes: [{ name: 'v', flexVolume: { driver: `alicloud/${driver}`, options } }],
});
const nfs = (server: string, path: string) => ({ volumes: [{ name: 'v', nfs: { server, path } }] });

test('without a policy only what the configuration says may be chosen', (t) => {
  for (const [key, value] of [
    ['eci-vswitch', 'vsw-2, vsw-1'],
    ['eci-security-group', ' sg-1 '],
    ['eci-resource-group-id', 'rg-1'],
    ['eci-auto-imc', 'false'],
    ['eci-image-cache', ''],
    ['eci-spot-strategy', 'SpotAsPriceGo'],
    ['eci-fixed-ip', 'false'],
    ['eci-fixed-ip-retain-hour', '48'],
    ['eci-ntp-server', '100.100.5.1'],
    ['plain-http-registry', 'a.example'],
    ['eci-ipv6-bandwidth-enable', 'false'],
    ['eci-ipv6-bandwidth', '100M'],
    ['eci-data-cache-bucket', 'default'],
    ['eci-compute-category', 'economy'],
  ] as const)
    t.deepEqual(refused(annotation(key, value)), [], key);
  for (const [key, value, ...what] of [
    ['eci-vswitch', 'vsw-1,vsw-9', 'vsw-9'],
    ['eci-security-group', 'sg-2', 'sg-2'],
    ['eci-resource-group-id', 'rg-2', 'rg-2'],
    ['eci-ram-role-name', 'admin', 'admin'],
    ['eci-imc-id', 'imc-1', 'imc-1'],
    ['eci-image-snapshot-id', 'imc-1', 'imc-1'],
    ['eci-auto-imc', 'true', '*'],
    ['eci-image-cache', 'True', '*'],
    ['eci-use-specs', '2-4Gi,ecs.c6.large', '2-4Gi', 'ecs.c6.large'],
    ['eci-instance-type', 'ecs.c6.large', 'ecs.c6.large'],
    ['eci-extra-ephemeral-storage', '50Gi', '50Gi'],
    ['eci-custom-tags', 'a:b:c, d:e', 'a', 'd'],
    ['acr-instance-id', 'cri-a', 'cri-a'],
    ['acr-instance-ids', 'cri-a, cn-beijing:cri-b', 'cri-a', 'cn-beijing:cri-b'],
    ['eci-private-ip-address', '10.0.1.7', '10.0.1.7'],
    ['eci-fixed-ip', 'true', '*'],
    ['acr-service-arns', 'acs:ram::1:role/a, acs:ram::1:role/b', 'acs:ram::1:role/a', 'acs:ram::1:role/b'],
    ['acr-user-arns', 'acs:ram::2:role/c', 'acs:ram::2:role/c'],
    ['eci-ipv6-bandwidth-enable', 'true', '2000'],
    ['eci-data-cache-pl', 'PL3', '*'],
  ] as const)
    t.deepEqual(
      refused(annotation(key, value)),
      what.map((it) => `${key}=${it}`),
      key,
    );
});

test('an instance of ACR is allowed as it is written, an address by how it begins, and one that is kept by all of them', (t) => {
  const acr = annotation('acr-instance-ids', 'cri-a,cn-beijing:cri-a');
  t.deepEqual(refused(acr, { acrInstances: ['cri-a'] }), ['acr-instance-ids=cn-beijing:cri-a']);
  t.deepEqual(refused(acr, { acrInstances: ['cri-a', 'cn-beijing:*'] }), []);
  const address = annotation('eci-private-ip-address', '10.0.1.7');
  t.deepEqual(refused(address, { privateAddresses: ['10.0.1.*'] }), []);
  t.deepEqual(refused(address, { privateAddresses: ['10.0.2.*'] }), ['eci-private-ip-address=10.0.1.7']);
  const kept = annotation('eci-fixed-ip', 'true');
  t.deepEqual(refused(kept, { privateAddresses: ['10.0.1.*'] }), ['eci-fixed-ip=*']);
  t.deepEqual(refused(kept, { privateAddresses: ['*'] }), []);
});

const publicly = (bandwidth?: string) => ({
  annotations: {
    [`${K8S}eci-ipv6-bandwidth-enable`]: ' true ',
    ...(bandwidth !== undefined && { [`${K8S}eci-ipv6-bandwidth`]: bandwidth }),
  },
});

test('a public IPv6 address may have what a policy says at most, and without a number all that there is', (t) => {
  for (const [bandwidth, what] of [
    [undefined, 'eci-ipv6-bandwidth-enable=2000'],
    [' ', 'eci-ipv6-bandwidth-enable=2000'],
    ['101', 'eci-ipv6-bandwidth=101'],
    ['1e9', 'eci-ipv6-bandwidth=1e9'],
    ['2001M', 'eci-ipv6-bandwidth=2001M'],
  ] as const)
    t.deepEqual(refused(publicly(bandwidth), { ipv6BandwidthMbps: 100 }), [what]);
  for (const bandwidth of ['100M', '100', '1'])
    t.deepEqual(refused(publicly(bandwidth), { ipv6BandwidthMbps: 100 }), []);
  t.deepEqual(refused(publicly(), { ipv6BandwidthMbps: 2000 }), []);
  t.deepEqual(refused(publicly('1')).length, 1);
});

const ofCache = (bucket: string | undefined, path: string) => ({
  volumes: [{ name: 'v', hostPath: { path } }],
  annotations: bucket === undefined ? {} : { [`${K8S}eci-data-cache-bucket`]: bucket },
});

test('a path of a data cache is allowed with its bucket, or with a path above it; without a bucket nothing is chosen', (t) => {
  t.deepEqual(refused(ofCache('b', '/model/x')), ['spec.volumes[v].hostPath=b:/model/x']);
  t.deepEqual(refused(ofCache(' b ', '/model/x'), { dataCaches: ['b:/model'] }), []);
  t.deepEqual(refused(ofCache('b', '/model/../x'), { dataCaches: ['b:/model'] }), ['spec.volumes[v].hostPath=b:/x']);
  t.deepEqual(refused(ofCache('b:/model', '/x'), { dataCaches: ['b:/model'] }).length, 1, 'no bucket has such a name');
  t.deepEqual(refused(ofCache(undefined, '/')), []);
  t.deepEqual(refused(ofCache(' ', '/')), []);
});

test('the options of volumes, by driver; nobody may choose one that nobody knows', (t) => {
  const at = 'spec.volumes[v].flexVolume.options';
  t.deepEqual(refused(flex('disk', { volumeId: 'd-1', deleteWithInstance: 'true' })), [`${at}.volumeId=d-1`]);
  t.deepEqual(refused(flex('disk', { volumeSize: '20' }), { newDiskGiB: 20 }), []);
  t.deepEqual(refused(flex('disk', { volumeSize: '21' }), { newDiskGiB: 20 }), [`${at}.volumeSize=21`]);
  t.deepEqual(refused(flex('disk', { volumeSize: '1e9' }), { newDiskGiB: 20 }), [`${at}.volumeSize=1e9`]);
  t.deepEqual(refused(flex('nas', { server: 's', path: '/a/../b', vers: '3' })), [`${at}.server=s:/b`]);
  t.deepEqual(refused(flex('oss', { bucket: 'b', url: 'u', ramRole: 'r', otherOpts: '-o x' })), [
    `${at}.bucket=b:/`,
    `${at}.ramRole=r`,
    `${at}.otherOpts=-o x`,
  ]);
  const everything = { disks: ['*'], fileServers: ['*'], buckets: ['*'], mountOptions: ['*'], ramRoles: ['*'] };
  t.deepEqual(refused(flex('oss', { bucket: 'b', path: '/a/b' }), { buckets: ['b:/a'] }), []);
  t.deepEqual(refused(flex('oss', { path: '/a' }), { buckets: ['b'] }), [`${at}.path=:/a`]);
  for (const driver of ['constructor', '__proto__', 'toString', 'alicloud/other'])
    t.deepEqual(refused({ volumes: [{ name: 'v', flexVolume: { driver, options: { name: 'x' } } }] }), [], driver);
  t.deepEqual(refused(flex('disk', { snapshotId: 's-1' }), everything), [`${at}.snapshotId=s-1`]);
  t.deepEqual(refused(flex('disk', { constructor: 'x' }), everything), [`${at}.constructor=x`]);
  t.deepEqual(refused(flex('other', { volumeId: 'd-1' })), [], 'the virtual node has no such driver');
});

test('a share is allowed with its server, or with a path above it, however it is written', (t) => {
  const rows: readonly (readonly [entry: string, server: string, path: string, isAllowed: boolean])[] = [
    ['s', 's', '/', true],
    ['s', 's', '/a/b', true],
    ['s:/', 's', '/a/b', true],
    ['s:/a', 's', '/a', true],
    ['s:/a', 's', '/a/', true],
    ['s:/a/', 's', '//a/./b', true],
    ['s:/a', 's', '/ab', false],
    ['s:/a', 's', '/', false],
    ['s:/a', 's', '/a/../b', false],
    ['s:/a', 's', '/a/b/../../..', false],
    ['s', 'st', '/', false],
    ['s*', 'st', '/', true],
    ['s:/a*', 's', '/ab', true],
    ['s:/a', 's:/a', '/x', false],
    ['s:/a', 's:/a/../b', '/..', false],
    ['s:/a', 's:/a/..', '/b', false],
    ['s*', 's/../t', '/', false],
    ['*', 'anything', '/', true],
  ];
  for (const [entry, server, path, isAllowed] of rows)
    t.is(refused(nfs(server, path), { fileServers: [entry] }).length === 0, isAllowed, `${entry} ${server} ${path}`);
});

test('every policy that speaks of a kind of choice has to allow it; one that does not says nothing', (t) => {
  const asks = annotation('eci-ram-role-name', 'app');
  t.deepEqual(refused(asks, { ramRoles: ['app', 'web'] }, { ramRoles: ['ap*'] }, { vSwitches: [] }), []);
  t.deepEqual(refused(asks, { ramRoles: ['app'] }, { ramRoles: [] }).length, 1);
  t.deepEqual(refused(asks, { vSwitches: ['*'] }).length, 1);
  const more = annotation('eci-extra-ephemeral-storage', '60Gi');
  t.deepEqual(refused(more, { ephemeralStorageGiB: 60 }, { ephemeralStorageGiB: 100 }), []);
  t.deepEqual(refused(more, { ephemeralStorageGiB: 59 }, { ephemeralStorageGiB: 100 }).length, 1);
  t.deepEqual(refused(annotation('eci-auto-imc', 'true'), { imageCaches: ['imc-1', 'imc-*'] }).length, 1);
  t.deepEqual(refused(annotation('eci-auto-imc', 'true'), { imageCaches: ['*'] }), []);
});

const said = (key: string, value: string, ...allows: readonly VirtualNodeAllowances[]) => {
  const policies = allows.map((virtualNode, n) => ({
    metadata: { name: `p${n}`, uid: '', resourceVersion: '' },
    spec: { virtualNode },
  }));
  const policy = policies.length > 0 ? effectivePolicy(policies, { name: 'web' }) : UNRESTRICTED;
  const [only] = forbiddenChoices(instanceChoices({ [`${K8S}${key}`]: value }), policy, CONFIGURED);
  return `${only?.problem}; ${only?.remedy}`;
};

test('a refusal says what may be written instead, and where an operator would allow it', (t) => {
  t.is(
    said('eci-vswitch', 'vsw-9'),
    'pods of this namespace may not choose the vSwitch "vsw-9" (no EipPolicy of the namespace has virtualNode.vSwitches); write vsw-1 or vsw-2, or leave it out, or have an operator write it into virtualNode.vSwitches of an EipPolicy that means the namespace',
  );
  t.is(
    said('eci-ram-role-name', 'admin', { ramRoles: ['app', 'web', 'w*'] }, { ramRoles: ['web', 'db'] }),
    'pods of this namespace may not choose the RAM role "admin" (EipPolicies p0, p1); write web, or leave it out, or have an operator write it into virtualNode.ramRoles of EipPolicies p0, p1',
  );
  t.is(
    said('eci-extra-ephemeral-storage', '2000Gi', { ephemeralStorageGiB: 50 }),
    'pods of this namespace may ask for 50 GiB, and not for "2000Gi" (EipPolicy p0); write at most 50, or have an operator write more into virtualNode.ephemeralStorageGiB of EipPolicy p0',
  );
  t.is(
    said('eci-auto-imc', 'true'),
    'pods of this namespace may not let ECI look for an image cache by itself (no EipPolicy of the namespace has virtualNode.imageCaches); leave it out, or have an operator write "*" into virtualNode.imageCaches of an EipPolicy that means the namespace',
  );
  t.is(
    said('eci-ipv6-bandwidth-enable', 'true', { ipv6BandwidthMbps: 100 }),
    'pods of this namespace may ask for 100 Mbit/s, and not for "2000" (EipPolicy p0); write at most 100 into k8s.aliyun.com/eci-ipv6-bandwidth, or have an operator write more into virtualNode.ipv6BandwidthMbps of EipPolicy p0',
  );
  t.regex(
    said('eci-ipv6-bandwidth-enable', 'true'),
    /; leave k8s\.aliyun\.com\/eci-ipv6-bandwidth-enable out, or have an operator/,
  );
  t.true(said('eci-ram-role-name', 'x'.repeat(250_000)).length < 500);
});
