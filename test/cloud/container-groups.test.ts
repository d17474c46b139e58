import test from 'ava';
import { createContainerGroups } from '../../src/cloud/alicloud/eci.ts';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import { OPEN } from '../../src/cloud/fence.ts';
import type { ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import { AK, faultOf, raw, server, settings, unmapped } from './alicloud-fixture.ts';
import { ENV, FILE, PASSWORD, full, plain } from './container-group-fixture.ts';
import { refusal } from './rpc-server.ts';

test.after.always(() => server.close());

const groups = createContainerGroups(settings);

test.serial('what the API cannot say is refused before anything is sent', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', ContainerGroupId: 'eci-1' }));
  const wrong: ContainerGroupSpec[] = [
    { ...plain, clientToken: '' },
    { ...plain, vSwitchIds: [] },
    { ...plain, vSwitchIds: ['vsw-1,vsw-2'] },
    { ...plain, instanceTypes: ['a,b'] },
    { ...plain, eip: { eipInstanceId: 'no id' } },
    { ...plain, initContainers: [{ name: 'i', image: 'x', livenessProbe: { tcpSocket: { port: 1 } } }] },
  ];
  for (const spec of wrong) t.is((await faultOf(groups.createContainerGroup(spec))).code, 'InvalidParameter.Local');
  t.is((await faultOf(groups.describeContainerGroups({}))).code, 'InvalidParameter.Local');
  t.deepEqual(await groups.describeContainerGroups({ containerGroupIds: [] }), []);
  t.is(server.requests.length, 0);
});

test.serial('no fault repeats a password, a file or an environment value', async (t) => {
  const secrets = [PASSWORD, FILE, 'planted file content', ENV, encodeURIComponent(PASSWORD), AK, 'planted'];
  const quoting = `not valid: ${PASSWORD} | ${FILE} | ${ENV} | ${encodeURIComponent(ENV)} | planted file content`;
  const answers = [
    refusal(400, 'InvalidParameter', { Message: quoting }),
    raw(502, `<html>${quoting}</html>`, 'text/html'),
    raw(200, `{"RequestId":"${PASSWORD}`),
  ];
  for (const answer of answers) {
    server.play(answer);
    const fault = await faultOf(groups.createContainerGroup(full));
    for (const secret of secrets) t.false(`${fault.message} ${fault.code} ${fault.stack}`.includes(secret), secret);
    t.is(fault.cause, undefined);
  }
  // The SDK puts the whole URL into the error of a connection that ends without an answer.
  server.play((_request, response) => {
    response.destroy();
    return undefined;
  });
  const fault = await faultOf(groups.createContainerGroup(full));
  t.is(fault.kind, 'unknown');
  for (const secret of secrets) t.false(`${fault.message} ${fault.stack}`.includes(secret), secret);
});

test.serial('ECI’s codes have their kinds', async (t) => {
  unmapped.length = 0;
  const kinds: [number, string, string][] = [
    [400, 'Throttling', 'throttled'],
    [400, 'EipPurchaseFlowControl', 'throttled'],
    [400, 'EipPayInsufficientBalance', 'quota'],
    [403, 'QuotaExceeded', 'quota'],
    [403, 'OperationDenied.NoStock', 'quota'],
    [403, 'InvalidVSwitchId.IpNotEnough', 'quota'],
    [403, 'Throttling.Vcpu.PerDay', 'quota'],
    [400, 'InvalidParameter.DuplicatedName', 'refused'],
    [400, 'ImageSnapshot.NotFound', 'refused'],
    [403, 'OperationDenied.SecurityGroupMisMatch', 'refused'],
    [403, 'CreateServiceLinkedRole.Denied', 'misconfigured'],
    [403, 'NoPermission', 'misconfigured'],
    [400, 'IncorrectStatus', 'later'],
    [503, 'ServiceUnavailable', 'unknown'],
  ];
  for (const [status, code, kind] of kinds) {
    server.play(refusal(status, code));
    t.is((await faultOf(groups.createContainerGroup(plain))).kind, kind as 'later', code);
  }
  const gone = { containerGroupId: 'eci-1', clientToken: 't' };
  server.play(refusal(404, 'InvalidContainerGroupId.NotFound'));
  t.is((await faultOf(groups.deleteContainerGroup(gone))).kind, 'gone');
  server.play(refusal(400, 'OperationConflict'));
  t.is((await faultOf(groups.deleteContainerGroup(gone))).kind, 'later');
  t.deepEqual(unmapped, []);
  server.play(refusal(403, 'NoPermission'));
  t.true((await faultOf(groups.deleteContainerGroup(gone))).message.includes('eci:DeleteContainerGroup'));
  server.play(() => ({ RequestId: 'REQ-1' }));
  await groups.deleteContainerGroup(gone);
  t.deepEqual(server.requests[0]?.query, { RegionId: 'cn-beijing', ContainerGroupId: 'eci-1', ClientToken: 't' });
  t.is((await faultOf(groups.createContainerGroup(plain))).code, 'UnreadableAnswer');
});

const wireGroup = (id: string, more: object = {}) => ({ ContainerGroupId: id, Status: 'Running', ...more });

test.serial('describing reads every field, by twenties and pages, and keeps only what was asked for', async (t) => {
  server.play(() => ({
    RequestId: 'REQ-1',
    TotalCount: 1,
    ContainerGroups: [
      wireGroup('eci-1', {
        ContainerGroupName: 'ns-pod',
        ZoneId: 'z',
        VSwitchId: 'vsw-1',
        VpcId: 'vpc-1',
        EniInstanceId: 'eni-1',
        IntranetIp: '10.0.0.7',
        InternetIp: '',
        CreationTime: '2026-11-20T10:00:00Z',
        Tags: [{ Key: 'k', Value: 'v' }],
        Events: [{ Type: 'Normal', Reason: 'Started', Message: 'm', Count: 2, LastTimestamp: 'l' }],
        Containers: [
          {
            Name: 'main',
            Image: 'nginx',
            Ready: true,
            RestartCount: 1,
            CurrentState: { State: 'Running', StartTime: 's' },
            PreviousState: { State: 'Terminated', ExitCode: 3, Signal: 9, Reason: 'Error', FinishTime: 'f' },
          },
        ],
      }),
    ],
  }));
  const [group] = await groups.describeContainerGroups({ containerGroupIds: ['eci-1'] });
  t.like(group, {
    containerGroupId: 'eci-1',
    containerGroupName: 'ns-pod',
    status: 'Running',
    zoneId: 'z',
    vSwitchId: 'vsw-1',
    vpcId: 'vpc-1',
    eniInstanceId: 'eni-1',
    intranetIp: '10.0.0.7',
    internetIp: undefined,
    creationTime: '2026-11-20T10:00:00Z',
  });
  t.deepEqual(group?.tags, new Map([['k', 'v']]));
  t.deepEqual(group?.events, [{ type: 'Normal', reason: 'Started', message: 'm', count: 2, lastTimestamp: 'l' }]);
  t.like(group?.containers[0], { name: 'main', image: 'nginx', ready: true, restartCount: 1 });
  t.like(group?.containers[0]?.currentState, { state: 'Running', startTime: 's' });
  t.like(group?.containers[0]?.previousState, { state: 'Terminated', exitCode: 3, signal: 9, reason: 'Error' });
  t.deepEqual(group?.initContainers, []);

  const ids = Array.from({ length: 41 }, (_, n) => `eci-${n}`);
  server.play(({ query }) => {
    const asked = JSON.parse(query['ContainerGroupIds'] ?? '[]') as string[];
    return { RequestId: 'REQ-1', ContainerGroups: [...asked, 'eci-foreign'].map((id) => wireGroup(id)) };
  });
  const many = await groups.describeContainerGroups({ containerGroupIds: ids });
  t.deepEqual(
    many.map(({ containerGroupId }) => containerGroupId),
    ids,
  );
  t.is(server.requests.length, 3);

  // Where the cloud refuses the whole list for one that does not exist, the others are found all the same.
  server.play((request, response) =>
    request.query['ContainerGroupIds']?.includes('eci-gone')
      ? refusal(400, 'InvalidParameter.NotFound')(request, response)
      : { RequestId: 'REQ-1', ContainerGroups: [wireGroup('eci-1'), wireGroup('eci-2')] },
  );
  const there = await groups.describeContainerGroups({ containerGroupIds: ['eci-1', 'eci-gone', 'eci-2'] });
  t.deepEqual(
    there.map(({ containerGroupId }) => containerGroupId),
    ['eci-1', 'eci-2'],
  );
  t.is(server.requests.length, 4);
  t.deepEqual(await groups.describeContainerGroups({ containerGroupIds: ['eci-gone'] }), []);

  const tags = [{ key: 'k', value: 'v' }];
  const Tags = [{ Key: 'k', Value: 'v' }];
  server.play(({ query }) =>
    query['NextToken'] === undefined
      ? { RequestId: 'REQ-1', NextToken: 'n', ContainerGroups: [wireGroup('eci-1', { Tags }), wireGroup('eci-2')] }
      : { RequestId: 'REQ-1', NextToken: '', ContainerGroups: [wireGroup('eci-3', { Tags })] },
  );
  t.is((await groups.describeContainerGroups({ tags })).length, 2);
  t.like(server.requests[1]?.query, { 'Tag.1.Key': 'k', 'Tag.1.Value': 'v', NextToken: 'n', Limit: '20' });

  server.play(() => ({ RequestId: 'REQ-1', NextToken: 'n', ContainerGroups: [] }));
  t.is((await faultOf(groups.describeContainerGroups({ tags }))).code, 'InconsistentPages');
  for (const broken of [{ EniInstanceId: '?' }, { InternetIp: 'x' }, { Status: '' }, { ContainerGroupId: '' }]) {
    server.play(() => ({ RequestId: 'REQ-1', ContainerGroups: [wireGroup('eci-1', broken)] }));
    const fault = await faultOf(groups.describeContainerGroups({ containerGroupIds: ['eci-1'] }));
    t.like(fault, { kind: 'later', code: 'UnreadableAnswer' });
  }
  server.play(() => ({ RequestId: 'REQ-1' }));
  t.is((await faultOf(groups.describeContainerGroups({ tags }))).code, 'UnreadableAnswer');
});

test.serial('the status poll and the log are read as the SDK gives them', async (t) => {
  server.play(() => ({
    RequestId: 'REQ-1',
    Data: [
      {
        ContainerGroupId: 'eci-1',
        Name: 'pod',
        Namespace: 'ns',
        uuid: 'u',
        Status: 'Running',
        PodStatus: {
          Phase: 'Running',
          PodIp: '10.0.0.7',
          Conditions: [{ type: 'Ready', status: 'True', Reason: 'r' }, {}],
          ContainerStatuses: [
            { Name: 'main', Image: 'i', Ready: true, RestartCount: 2, State: { Running: { StartedAtstartedAt: 's' } } },
            { Name: 'x', State: { Terminated: { ExitCode: 1, FinishedAt: 'f' } }, LastState: { Waiting: {} } },
          ],
        },
      },
    ],
  }));
  const [status] = await groups.describeContainerGroupStatus({ tags: [{ key: 'k', value: 'v' }], sinceSeconds: 60 });
  t.like(server.requests[0]?.query, { Limit: '200', SinceSecond: '60', 'Tag.1.Key': 'k' });
  t.like(status, { containerGroupId: 'eci-1', name: 'pod', namespace: 'ns', uuid: 'u', status: 'Running' });
  t.like(status?.podStatus, { phase: 'Running', podIp: '10.0.0.7' });
  t.deepEqual(status?.podStatus.conditions, [{ type: 'Ready', status: 'True', reason: 'r' }]);
  t.like(status?.podStatus.containers[0], { name: 'main', ready: true, restartCount: 2 });
  t.like(status?.podStatus.containers[0]?.currentState, { state: 'Running', startTime: 's' });
  t.like(status?.podStatus.containers[1]?.currentState, { state: 'Terminated', exitCode: 1, finishTime: 'f' });
  t.is(status?.podStatus.containers[1]?.previousState?.state, 'Waiting');

  server.play(() => ({ RequestId: 'REQ-1', ContainerName: 'main', Content: 'hello\n' }));
  const query = { containerGroupId: 'eci-1', containerName: 'main', tail: 5000, sinceSeconds: 9, timestamps: true };
  t.is(await groups.describeContainerLog({ ...query, limitBytes: 10, previous: true, startTime: 's' }), 'hello\n');
  t.deepEqual(server.requests[0]?.query, {
    RegionId: 'cn-beijing',
    ContainerGroupId: 'eci-1',
    ContainerName: 'main',
    Tail: '2000',
    SinceSeconds: '9',
    StartTime: 's',
    Timestamps: 'true',
    LimitBytes: '10',
    LastTime: 'true',
  });
  server.play(() => ({ RequestId: 'REQ-1', ContainerName: 'main' }));
  t.is(await groups.describeContainerLog({ containerGroupId: 'eci-1', containerName: 'main' }), '');

  const address = 'wss://eci.example/exec/?s=secret';
  server.play(() => ({ RequestId: 'REQ-1', WebSocketUri: address, HttpUrl: 'https://eci.example' }));
  const call = { containerGroupId: 'eci-1', containerName: 'main', tty: false, stdin: true };
  t.deepEqual(await groups.execContainerCommand({ ...call, command: ['sh', '-c', 'a "b"'] }), {
    webSocketUri: address,
  });
  t.deepEqual(server.requests[0]?.query, {
    RegionId: 'cn-beijing',
    ContainerGroupId: 'eci-1',
    ContainerName: 'main',
    Command: '["sh","-c","a \\"b\\""]',
    TTY: 'false',
    Stdin: 'true',
    Sync: 'false',
  });
  server.play(() => ({ RequestId: 'REQ-1' }));
  await t.throwsAsync(groups.execContainerCommand({ ...call, command: ['true'] }), { message: /WebSocketUri/ });
  for (const [command, words] of [
    [Array<string>(21).fill('a'), /21 parts; ECI takes 20/],
    [['a', 'b'.repeat(257)], /part 2 of the command has 257 characters; ECI takes 256/],
  ] as const)
    await t.throwsAsync(groups.execContainerCommand({ ...call, command }), { message: words });
});

test.serial('metrics: the newest record of each instance, and of the others nothing', async (t) => {
  const at = '2026-01-01T00:00:15Z';
  server.play(() => ({
    RequestId: 'REQ-1',
    MonitorDatas: [
      {
        ContainerGroupId: 'eci-1',
        Records: [
          { Timestamp: '2026-01-01T00:00:00Z', CPU: { UsageCoreNanoSeconds: 1 } },
          {
            Timestamp: at,
            CPU: { UsageCoreNanoSeconds: 5_000_000_000, UsageNanoCores: 250_000_000, Load: 1, Limit: 2000 },
            Memory: { AvailableBytes: 1, UsageBytes: 2, Cache: 3, WorkingSet: 4, Rss: 5 },
            Network: { Interfaces: [{ Name: 'eth0', RxBytes: 6, TxBytes: 7, RxErrors: -1 }] },
            Filesystem: [{ FsName: '/dev/vda', Capacity: 8, Usage: 9, Available: 10 }],
            Containers: [{ Name: 'main', CPU: { UsageCoreNanoSeconds: 11 }, Memory: { WorkingSet: 12 } }, {}],
          },
        ],
      },
      { ContainerGroupId: 'eci-2' },
      { ContainerGroupId: 'eci-3', Records: [{ Timestamp: 'soon' }] },
      { ContainerGroupId: 'eci-4', Records: [{ Timestamp: at }] },
    ],
  }));
  const found = await groups.describeContainerGroupMetrics(['eci-1', 'eci-2', 'eci-3']);
  t.deepEqual(server.requests[0]?.query, {
    RegionId: 'cn-beijing',
    ContainerGroupIds: '["eci-1","eci-2","eci-3"]',
  });
  t.is(found.length, 1, 'without a time it is no record, and eci-4 was not asked for');
  t.like(found[0], {
    containerGroupId: 'eci-1',
    at: Date.parse(at),
    cpu: { usageCoreNanoSeconds: 5_000_000_000, usageNanoCores: 250_000_000 },
    memory: { availableBytes: 1, usageBytes: 2, cacheBytes: 3, workingSetBytes: 4, rssBytes: 5 },
  });
  t.like(found[0]?.interfaces[0], { name: 'eth0', rxBytes: 6, txBytes: 7, rxErrors: undefined });
  t.deepEqual(found[0]?.filesystems, [{ name: '/dev/vda', capacityBytes: 8, usedBytes: 9 }]);
  t.like(found[0]?.containers[0], { name: 'main', cpu: { usageCoreNanoSeconds: 11 }, memory: { workingSetBytes: 12 } });
  const many = Array.from({ length: 21 }, (_, n) => `eci-${n}`);
  t.regex((await faultOf(groups.describeContainerGroupMetrics(many))).message, /21 IDs; there may be 20/);
});

test.serial('the assembled API is fenced, throttled and observed', async (t) => {
  let leading = true;
  const seen: string[] = [];
  const assembled = assembleCloud({
    ...settings,
    mayMutate: () => (leading ? OPEN : { kind: 'leadershipUncertain' }),
    onCall: ({ action, outcome }) => seen.push(`${action} ${outcome}`),
  });
  const eci = assembled.containerGroups;
  server.play(refusal(400, 'Throttling.User'));
  await faultOf(eci.createContainerGroup(plain));
  t.is(assembled.throttle.pace('CreateContainerGroup'), 0.5);
  leading = false;
  server.play(() => ({ RequestId: 'REQ-1' }));
  const fault = await faultOf(eci.deleteContainerGroup({ containerGroupId: 'eci-1', clientToken: 't' }));
  t.is(fault.code, 'LeadershipUncertain');
  t.is(server.requests.length, 0);
  t.is(await eci.describeContainerLog({ containerGroupId: 'eci-1', containerName: 'main' }), '');
  t.deepEqual(seen, ['CreateContainerGroup throttled', 'DescribeContainerLog success']);
});
