import test from 'ava';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import type { ContainerGroupSpec, EipCreationParameters } from '../../src/cloud/container-groups.ts';
import { createCredentials } from '../../src/cloud/credentials.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { SecretText } from '../../src/config/secret.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { CloudOptions } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { bench } from './cloud-bench.ts';
import { seeded } from '../harness/random.ts';
import { adapterOn } from '../harness/cluster.ts';

const SECOND = { minMs: 1000, maxMs: 1000 };

/** The real adapter on an embedded cloud in virtual time, with a vSwitch of four addresses. */
const stage = (options: Partial<CloudOptions> = {}) => {
  const at = bench({ random: seeded(7), ...options });
  at.cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/29' });
  at.cloud.world.addVSwitch({ vSwitchId: 'vsw-2', vpcId: 'vpc-1', cidrBlock: '10.2.0.0/16' });
  const { cloud: vpc, containerGroups: eci } = adapterOn(at.cloud, at.clock);
  return {
    ...at,
    vpc,
    eci,
    show: async (id: string) => (await eci.describeContainerGroups({ containerGroupIds: [id] }))[0],
    create: async (eip: EipCreationParameters = {}, more: Partial<ContainerGroupSpec> = {}) =>
      (await eci.createContainerGroup({ ...spec, clientToken: `t-${tokens++}`, eip, ...more })).containerGroupId,
  };
};
let tokens = 0;

const spec: ContainerGroupSpec = {
  clientToken: 't',
  containerGroupName: 'ns-pod',
  securityGroupId: 'sg-1',
  vSwitchIds: ['vsw-1', 'vsw-2'],
  restartPolicy: 'Always',
  containers: [{ name: 'main', image: 'nginx' }],
  initContainers: [{ name: 'first', image: 'busybox' }],
  tags: [{ key: 'owner', value: 'us' }],
  eip: {},
};

const faultOf = async (call: Promise<unknown>): Promise<CloudFault> => {
  try {
    await call;
  } catch (error) {
    if (error instanceof CloudFault) return error;
    throw error;
  }
  throw new Error('the call succeeded');
};

test('an instance is scheduled, starts, runs, is deleted and leaves nothing', async (t) => {
  const at = stage({ transitions: { schedule: SECOND, containerStart: SECOND, containerStop: SECOND } });
  const id = await at.create();
  t.like(await at.show(id), { status: 'Scheduling', eniInstanceId: undefined, intranetIp: undefined });
  await at.clock.advance(1000);
  const pending = await at.show(id);
  t.like(pending, { status: 'Pending', intranetIp: '10.1.0.1', vpcId: 'vpc-1', vSwitchId: 'vsw-1' });
  t.like(pending?.containers[0], { name: 'main', image: 'nginx', ready: false });
  await at.clock.advance(1000);
  const running = await at.show(id);
  t.like(running, { status: 'Running', internetIp: undefined, eniInstanceId: pending?.eniInstanceId });
  t.like(running?.containers[0], { ready: true, restartCount: 0 });
  t.is(running?.initContainers[0]?.currentState?.exitCode, 0);
  t.deepEqual(running?.tags, new Map([['owner', 'us']]));
  t.true((running?.events.length ?? 0) >= 2);
  const found = await at.vpc.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.1.0.1' });
  t.like(found[0], { networkInterfaceId: running?.eniInstanceId, instanceId: id, status: 'InUse' });

  await at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'd' });
  t.is((await at.show(id))?.status, 'Terminating');
  await at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'd' });
  t.is((await faultOf(at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'e' }))).kind, 'later');
  await at.clock.advance(1000);
  t.is(await at.show(id), undefined);
  t.deepEqual(await at.vpc.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.1.0.1' }), []);
  t.is((await faultOf(at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'f' }))).kind, 'gone');
});

test('an EIP made with the instance is shown, and goes with it', async (t) => {
  const at = stage({ transitions: { associate: SECOND } });
  at.cloud.world.addBandwidthPackage('cbwp-1');
  const id = await at.create({ autoCreateEip: true, eipBandwidth: 7, eipCommonBandwidthPackage: 'cbwp-1' });
  const group = await at.show(id);
  const [eip] = at.cloud.eips();
  t.like(eip, { status: 'Associating', bandwidthMbps: 7, internetChargeType: 'PayByTraffic', serviceManaged: false });
  t.is(group?.internetIp, eip?.ipAddress);
  t.is(eip?.tags.size, 0);
  await at.clock.advance(1000);
  const described = await at.describe(eip?.allocationId ?? '');
  t.like(described, { Status: 'InUse', InstanceId: group?.eniInstanceId, PrivateIpAddress: '' });
  t.is(described?.['BandwidthPackageId'], 'cbwp-1');
  await at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'd' });
  t.deepEqual(at.cloud.eips(), []);
  t.deepEqual(
    at.cloud.ledger().map(({ action, caller }) => `${action} ${caller}`),
    ['AllocateEipAddress', 'AssociateEipAddress', 'UnassociateEipAddress', 'ReleaseEipAddress'].map(
      (a) => `${a} cloud`,
    ),
  );
});

test('an EIP that exists is bound, refused when it is bound, and only unbound with the instance', async (t) => {
  const at = stage();
  at.cloud.world.addEip({ allocationId: 'eip-1', ipAddress: '47.1.1.1' });
  const id = await at.create({ eipInstanceId: 'eip-1' });
  t.is((await at.show(id))?.internetIp, '47.1.1.1');
  t.is((await faultOf(at.create({ eipInstanceId: 'eip-1' }))).kind, 'refused');
  t.is((await faultOf(at.create({ eipInstanceId: 'eip-none' }))).kind, 'refused');
  await at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'd' });
  t.like(at.cloud.eips(), [{ allocationId: 'eip-1', status: 'Available', binding: undefined }]);
  t.is(at.cloud.containerGroups().length, 0);
});

test('an EIP bound later through the VPC API is the instance’s, and the deletion unbinds it', async (t) => {
  const at = stage();
  const id = await at.create();
  const group = await at.show(id);
  const allocationId = await at.allocate();
  await at.vpc.associateEip({
    allocationId,
    networkInterfaceId: group?.eniInstanceId ?? '',
    privateIpAddress: group?.intranetIp ?? '',
    clientToken: 'a',
  });
  t.is((await at.show(id))?.internetIp, at.cloud.eips()[0]?.ipAddress);
  await at.eci.deleteContainerGroup({ containerGroupId: id, clientToken: 'd' });
  t.like(at.cloud.eips(), [{ allocationId, status: 'Available', binding: undefined }]);
});

test('an instance that ends gives everything back at once, and is shown for an hour more', async (t) => {
  const at = stage();
  const id = await at.create({ autoCreateEip: true });
  await at.show(id);
  at.cloud.world.endContainerGroup(id, 'Failed', 3);
  const ended = await at.show(id);
  t.like(ended, { status: 'Failed', internetIp: undefined, intranetIp: '10.1.0.1' });
  t.like(ended?.containers[0]?.currentState, { state: 'Terminated', exitCode: 3, reason: 'Error' });
  t.deepEqual(at.cloud.eips(), []);
  t.throws(() => at.cloud.world.endContainerGroup(id, 'Succeeded'), { instanceOf: RangeError });
  await at.clock.advance(3_599_000);
  t.is((await at.show(id))?.status, 'Failed');
  await at.clock.advance(1000);
  t.is(await at.show(id), undefined);

  const other = await at.create();
  await at.show(other);
  at.cloud.world.endContainerGroup(other, 'Succeeded');
  await at.eci.deleteContainerGroup({ containerGroupId: other, clientToken: 'd' });
  t.is(await at.show(other), undefined);
});

test('the same token makes one instance, and another request with it is refused', async (t) => {
  const at = stage();
  const [one, two] = [await at.create({}, { clientToken: 'same' }), await at.create({}, { clientToken: 'same' })];
  t.is(one, two);
  t.is(at.cloud.containerGroups().length, 1);
  const fault = await faultOf(at.create({ autoCreateEip: true }, { clientToken: 'same' }));
  t.like(fault, { kind: 'refused', code: 'IdempotentParameterMismatch' });

  // The answer is lost, the instance is not.
  at.cloud.inject({ action: 'CreateContainerGroup', fault: { answer: 'drop' } });
  t.is((await faultOf(at.create({}, { clientToken: 'lost' }))).kind, 'unknown');
  const id = await at.create({}, { clientToken: 'lost' });
  t.is(at.cloud.containerGroups().length, 2);
  t.is(at.cloud.containerGroups()[1]?.containerGroupId, id);
});

test('requests against the API reference are refused, and leave nothing', async (t) => {
  const at = stage({ quota: 1 });
  const main = { name: 'main', image: 'nginx' };
  const wrong: [Partial<ContainerGroupSpec>, string][] = [
    [{ containerGroupName: '-a' }, 'InvalidParameter'],
    [{ containerGroupName: 'Upper' }, 'InvalidParameter'],
    [{ containers: [] }, 'InvalidParameter'],
    [{ containers: [main, main], initContainers: [] }, 'InvalidParameter.DuplicatedName'],
    [{ containers: Array.from({ length: 20 }, (_, n) => ({ ...main, name: `c-${n}` })) }, 'InvalidParameter'],
    [{ containers: [{ ...main, environmentVar: [{ key: 'A', value: 'x'.repeat(257) }] }] }, 'InvalidParameter'],
    [{ containers: [{ ...main, environmentVar: [{ key: '1A', value: 'x' }] }] }, 'InvalidParameter'],
    [
      {
        containers: [
          { ...main, livenessProbe: { tcpSocket: { port: 1 }, httpGet: { path: '/', port: 1, scheme: 'HTTP' } } },
        ],
      },
      'InvalidParameter',
    ],
    [{ containers: [{ ...main, readinessProbe: { periodSeconds: 3 } }] }, 'InvalidParameter'],
    [{ containers: [{ ...main, addCapabilities: ['SYS_ADMIN'] }] }, 'InvalidParameter'],
    [{ containers: [{ ...main, volumeMount: [{ name: 'v', mountPath: '/v' }] }] }, 'InvalidParameter'],
    [{ volumes: ['v', 'v'].map((name) => ({ name, emptyDir: {} })) }, 'InvalidParameter.DuplicatedVolumeName'],
    [{ cpu: 65 }, 'InvalidParameter.CPU.Memory'],
    [{ vSwitchIds: ['vsw-none'] }, 'InvalidVSwitchId.NotFound'],
    [{ eip: { autoCreateEip: true, eipBandwidth: 201 } }, 'InvalidParameter'],
    [{ eip: { autoCreateEip: true, eipCommonBandwidthPackage: 'cbwp-none' } }, 'InvalidParameter'],
  ];
  for (const [change, code] of wrong) t.is((await faultOf(at.create({}, change))).code, code, JSON.stringify(change));
  const raw = { ContainerGroupName: 'ab', VSwitchId: 'vsw-1', 'Container.1.Name': 'a', 'Container.1.Image': 'i' };
  const codeOf = async (more: Record<string, string>) =>
    (await at.call('CreateContainerGroup', { ...raw, ...more })).code;
  t.is(await codeOf({ EipBandwidth: '5' }), 'InvalidParameter');
  t.is(await codeOf({ 'Container.1.Port.1.Port': '70000' }), 'InvalidParameter');
  t.deepEqual([at.cloud.containerGroups(), at.cloud.eips()], [[], []]);

  // Nothing is documented against these two: the EIP that is named is taken, a package without an EIP is no matter.
  at.cloud.world.addEip({ allocationId: 'eip-1', serviceManaged: false });
  t.is(await codeOf({ AutoCreateEip: 'true', EipInstanceId: 'eip-1' }), undefined);
  t.deepEqual(
    at.cloud.eips().map(({ status }) => status),
    ['InUse'],
  );
  t.is(await codeOf({ ContainerGroupName: 'cd', EipCommonBandwidthPackage: 'cbwp-1' }), undefined);
  at.cloud.world.human.release('eip-1');

  await at.create({ autoCreateEip: true });
  t.like(await faultOf(at.create({ autoCreateEip: true })), { code: 'QuotaExceeded', kind: 'quota' });
});

test('addresses come from the first vSwitch that has one', async (t) => {
  const at = stage();
  const ips: (string | undefined)[] = [];
  for (let n = 0; n < 5; n += 1) ips.push((await at.show(await at.create()))?.intranetIp);
  t.deepEqual(ips, ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4', '10.2.0.1']);
  const fault = await faultOf(at.create({}, { vSwitchIds: ['vsw-1'] }));
  t.like(fault, { code: 'InvalidVSwitchId.IpNotEnough', kind: 'quota' });
  t.is((await at.eci.describeContainerGroups({ tags: spec.tags })).length, 5);
  const wrong = { cidrBlock: '10.0.0.0', vSwitchId: 'v', vpcId: 'vpc-1' };
  t.throws(() => at.cloud.world.addVSwitch(wrong), { instanceOf: RangeError });
});

test('lists are paged, and the status poll shows what changed', async (t) => {
  const at = stage();
  const ids: string[] = [];
  for (let n = 0; n < 25; n += 1) ids.push(await at.create({}, { vSwitchIds: ['vsw-2'] }));
  t.is((await at.eci.describeContainerGroups({ tags: spec.tags })).length, 25);
  t.is((await at.eci.describeContainerGroups({ containerGroupIds: ids })).length, 25);
  const all = await at.eci.describeContainerGroupStatus({ tags: spec.tags });
  t.is(all.length, 25);
  t.like(all[0], { containerGroupId: ids[0], status: 'Running' });
  t.like(all[0]?.podStatus, { phase: 'Running', podIp: '10.2.0.1' });
  t.deepEqual(all[0]?.podStatus.conditions[0], { type: 'Ready', status: 'True' });
  t.is(all[0]?.podStatus.containers[0]?.currentState?.state, 'Running');
  t.truthy(all[0]?.podStatus.containers[0]?.currentState?.startTime);

  await at.clock.advance(60_000);
  at.cloud.world.changeContainer(ids[3] ?? '', 'main', { ready: false, restartCount: 2 });
  const changed = await at.eci.describeContainerGroupStatus({ tags: spec.tags, sinceSeconds: 30 });
  t.deepEqual(
    changed.map(({ containerGroupId }) => containerGroupId),
    [ids[3]],
  );
  t.deepEqual(changed[0]?.podStatus.conditions[0], { type: 'Ready', status: 'False' });
  t.is(changed[0]?.podStatus.containers[0]?.restartCount, 2);
});

test('a container’s output is read by lines, bytes and time', async (t) => {
  const at = stage();
  const containerGroupId = await at.create();
  const log = (more: object = {}) => at.eci.describeContainerLog({ containerGroupId, containerName: 'main', ...more });
  t.is(await log(), 'started nginx\n');
  await at.clock.advance(60_000);
  at.cloud.world.writeContainerLog(containerGroupId, 'main', 'hello');
  t.is(await log(), 'started nginx\nhello\n');
  t.is(await log({ tail: 1 }), 'hello\n');
  t.is(await log({ sinceSeconds: 30 }), 'hello\n');
  t.is(await log({ limitBytes: 3 }), 'sta');
  t.is(await log({ tail: 1, timestamps: true }), '2026-11-20T12:01:00Z hello\n');
  t.is(await log({ previous: true }), '');
  t.is((await faultOf(log({ containerName: 'none' }))).kind, 'refused');
  t.is((await faultOf(log({ containerGroupId: 'eci-none' }))).kind, 'gone');
});

const secretOf = (uri: string) => URL.parse(uri)?.searchParams.get('s') ?? '';

test('a command has an address that is good once and for 30 s, where the embedded cloud was told to run any', async (t) => {
  const at = stage();
  const containerGroupId = await at.create();
  const call = { containerGroupId, containerName: 'main', command: ['sh', '-c', 'a'], tty: false, stdin: true };
  const exec = (more: object = {}) => at.eci.execContainerCommand({ ...call, ...more });
  const refused = await faultOf(exec());
  t.is(refused.kind, 'refused');
  t.regex(refused.message, /runs no commands/);
  at.cloud.world.runCommandsAt('ws://127.0.0.1:9');
  const { webSocketUri } = await exec();
  t.true(webSocketUri.startsWith('ws://127.0.0.1:9/exec/?s='));
  t.like(at.cloud.world.takeCommand(secretOf(webSocketUri)), call);
  t.is(at.cloud.world.takeCommand(secretOf(webSocketUri)), undefined);
  const late = await exec();
  await at.clock.advance(31_000);
  t.is(at.cloud.world.takeCommand(secretOf(late.webSocketUri)), undefined);
  t.is((await faultOf(exec({ containerName: 'none' }))).kind, 'refused');
  t.is((await faultOf(exec({ containerGroupId: 'eci-none' }))).kind, 'gone');
  // An init container has ended.
  t.is((await faultOf(exec({ containerName: 'first' }))).kind, 'refused');
});

test('a request of half a mebibyte passes over HTTP', async (t) => {
  const cloud = createSandboxCloud({ clock: systemClock, random: systemRandom });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/24' });
  const server = await serveCloud(cloud);
  t.teardown(() => server.close());
  const { containerGroups: eci } = assembleCloud({
    clock: systemClock,
    region: 'cn-hangzhou',
    endpoints: { eci: server.url },
    credentials: createCredentials(
      {
        accessKeyId: sandboxCredential.accessKeyId,
        accessKeySecret: new SecretText(sandboxCredential.accessKeySecret),
        env: {},
      },
      systemClock,
    ),
  });
  const content = Buffer.alloc(300_000, 'a long file ').toString('base64');
  const { containerGroupId } = await eci.createContainerGroup({
    ...spec,
    vSwitchIds: ['vsw-1'],
    volumes: [{ name: 'v', configFiles: { files: [{ path: 'a', content }] } }],
  });
  const [group] = await eci.describeContainerGroups({ containerGroupIds: [containerGroupId] });
  t.like(group, { status: 'Running', intranetIp: '10.1.0.1' });
});
