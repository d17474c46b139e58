import test from 'ava';
import { createContainerGroups } from '../../src/cloud/alicloud/eci.ts';
import { TOKEN, server, settings } from './alicloud-fixture.ts';
import { ENV, FILE, PASSWORD, PLAIN_QUERY, PROBE, full, plain } from './container-group-fixture.ts';

test.after.always(() => server.close());

const groups = createContainerGroups(settings);

const prefixed = (prefix: string, fields: Record<string, string>) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}.${name}`, value]));

test.serial('creating sends every field as the API reference names it, and nothing else', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', ContainerGroupId: 'eci-1' }));
  t.deepEqual(await groups.createContainerGroup(plain), { containerGroupId: 'eci-1' });
  t.like(server.requests[0], { action: 'CreateContainerGroup', version: '2018-08-08' });
  t.is(server.requests[0]?.headers['x-acs-security-token'], TOKEN);
  t.deepEqual(server.requests[0]?.query, PLAIN_QUERY);

  await groups.createContainerGroup(full);
  t.deepEqual(server.requests[1]?.query, {
    ...PLAIN_QUERY,
    ZoneId: 'cn-beijing-a',
    ScheduleStrategy: 'VSwitchRandom',
    Cpu: '2',
    Memory: '4.5',
    InstanceType: 'ecs.c6.large,ecs.c5.large',
    ResourceGroupId: 'rg-1',
    RamRoleName: 'role',
    HostName: 'host',
    DnsPolicy: 'None',
    'DnsConfig.NameServer.1': '10.0.0.10',
    'DnsConfig.Search.1': 'a.local',
    'DnsConfig.Search.2': 'b.local',
    'DnsConfig.Option.1.Name': 'ndots',
    'DnsConfig.Option.1.Value': '5',
    'HostAliase.1.Ip': '10.0.0.9',
    'HostAliase.1.Hostname.1': 'h1',
    'HostAliase.1.Hostname.2': 'h2',
    'SecurityContext.Sysctl.1.Name': 'net.core.somaxconn',
    'SecurityContext.Sysctl.1.Value': '1024',
    ShareProcessNamespace: 'true',
    TerminationGracePeriodSeconds: '30',
    ActiveDeadlineSeconds: '600',
    EphemeralStorage: '20',
    SpotStrategy: 'SpotWithPriceLimit',
    SpotPriceLimit: '0.125',
    SpotDuration: '1',
    ImageSnapshotId: 'imc-1',
    AutoMatchImageCache: 'false',
    Ipv6AddressCount: '1',
    PrivateIpAddress: '10.0.1.7',
    FixedIp: 'true',
    FixedIpRetainHour: '24',
    'NtpServer.1': '100.100.5.1',
    'NtpServer.2': 'ntp.example.com',
    CorePattern: '/dumps/core',
    CpuOptionsCore: '2',
    CpuOptionsThreadsPerCore: '1',
    PlainHttpRegistry: 'a.example,b.example:80',
    InsecureRegistry: 'c.example',
    ...prefixed('AcrRegistryInfo.1', { InstanceId: 'cri-a', RegionId: 'cn-beijing' }),
    ...prefixed('AcrRegistryInfo.2', {
      InstanceId: 'cri-b',
      ArnService: 'acs:ram::1:role/a',
      ArnUser: 'acs:ram::2:role/b',
    }),
    Ipv6GatewayBandwidthEnable: 'true',
    Ipv6GatewayBandwidth: '100',
    'ComputeCategory.1': 'economy',
    'ComputeCategory.2': 'general',
    GpuDriverVersion: 'tesla=525.85.12',
    MaxPendingMinute: '30',
    DataCacheBucket: 'default',
    DataCachePL: 'PL1',
    DataCacheProvisionedIops: '40000',
    DataCacheBurstingEnabled: 'true',
    IngressBandwidth: '1000',
    EgressBandwidth: '2000',
    ...prefixed('ImageRegistryCredential.1', { Server: 'registry.example', UserName: 'user', Password: PASSWORD }),
    ...prefixed('Container.1', {
      Cpu: '1.5',
      Memory: '2',
      Gpu: '1',
      'Command.1': 'sh',
      'Command.2': '-c',
      'Arg.1': 'sleep 1',
      ImagePullPolicy: 'IfNotPresent',
      WorkingDir: '/work',
      'EnvironmentVar.1.Key': 'A',
      'EnvironmentVar.1.Value': ENV,
      'EnvironmentVar.2.Key': 'IP',
      'EnvironmentVar.2.FieldRef.FieldPath': 'status.podIP',
      'Port.1.Port': '80',
      'Port.1.Protocol': 'TCP',
      'Port.2.Port': '53',
      'Port.2.Protocol': 'UDP',
      'VolumeMount.1.Name': 'v',
      'VolumeMount.1.MountPath': '/v',
      'VolumeMount.1.ReadOnly': 'true',
      'VolumeMount.1.SubPath': 'sub',
      'VolumeMount.1.MountPropagation': 'HostToContainer',
      ...prefixed('ReadinessProbe', {
        ...PROBE,
        'HttpGet.Path': '/ready',
        'HttpGet.Port': '80',
        'HttpGet.Scheme': 'HTTP',
      }),
      ...prefixed('LivenessProbe', { ...PROBE, 'Exec.Command.1': 'true', 'Exec.Command.2': 'x' }),
      'LifecyclePostStartHandlerExec.1': 'echo',
      'LifecyclePostStartHandlerExec.2': 'hi',
      LifecyclePreStopHandlerHttpGetHost: 'h',
      LifecyclePreStopHandlerHttpGetPath: '/stop',
      LifecyclePreStopHandlerHttpGetPort: '81',
      LifecyclePreStopHandlerHttpGetScheme: 'HTTPS',
      'LifecyclePreStopHandlerHttpGetHttpHeader.1.Name': 'X',
      'LifecyclePreStopHandlerHttpGetHttpHeader.1.Value': 'y',
      'SecurityContext.Capability.Add.1': 'NET_ADMIN',
      'SecurityContext.ReadOnlyRootFilesystem': 'true',
      'SecurityContext.RunAsUser': '0',
      SecurityContextRunAsGroup: '1',
      SecurityContextRunAsNonRoot: 'false',
      Stdin: 'true',
      StdinOnce: 'false',
      Tty: 'true',
      TerminationMessagePath: '/dev/end',
      TerminationMessagePolicy: 'File',
    }),
    ...prefixed('Container.2', {
      Name: 'side',
      Image: 'envoy',
      'LivenessProbe.TcpSocket.Port': '9',
      LifecyclePreStopHandlerTcpSocketHost: 'h',
      LifecyclePreStopHandlerTcpSocketPort: '7',
    }),
    ...prefixed('InitContainer.1', {
      Name: 'first',
      Image: 'busybox',
      'Command.1': 'true',
      'EnvironmentVar.1.Key': 'B',
      'EnvironmentVar.1.Value': '',
    }),
    ...prefixed('Volume.1', {
      Name: 'e',
      Type: 'EmptyDirVolume',
      'EmptyDirVolume.Medium': 'Memory',
      'EmptyDirVolume.SizeLimit': '256Mi',
    }),
    ...prefixed('Volume.2', {
      Name: 'c',
      Type: 'ConfigFileVolume',
      'ConfigFileVolume.DefaultMode': '420',
      'ConfigFileVolume.ConfigFileToPath.1.Path': 'a/b',
      'ConfigFileVolume.ConfigFileToPath.1.Content': FILE,
      'ConfigFileVolume.ConfigFileToPath.1.Mode': '256',
    }),
    ...prefixed('Volume.3', {
      Name: 'n',
      Type: 'NFSVolume',
      'NFSVolume.Server': 'nas',
      'NFSVolume.Path': '/p',
      'NFSVolume.ReadOnly': 'false',
    }),
    ...prefixed('Volume.4', {
      Name: 'f',
      Type: 'FlexVolume',
      'FlexVolume.Driver': 'alicloud/disk',
      'FlexVolume.FsType': 'ext4',
      'FlexVolume.Options': '{"volumeSize":"50"}',
    }),
    'Tag.1.Key': 'k',
    'Tag.1.Value': 'v',
  });
});

test.serial('each way to a public address is sent as it is', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', ContainerGroupId: 'eci-1' }));
  const auto = {
    autoCreateEip: true,
    eipBandwidth: 7,
    eipISP: 'BGP_PRO',
    eipCommonBandwidthPackage: 'cbwp-1',
  } as const;
  await groups.createContainerGroup({ ...plain, eip: auto });
  await groups.createContainerGroup({ ...plain, eip: { autoCreateEip: true } });
  await groups.createContainerGroup({ ...plain, eip: { eipInstanceId: 'eip-1' } });
  const said = server.requests.map(({ query }) =>
    Object.fromEntries(Object.entries(query).filter(([name]) => name.includes('Eip'))),
  );
  t.deepEqual(said, [
    { AutoCreateEip: 'true', EipBandwidth: '7', EipISP: 'BGP_PRO', EipCommonBandwidthPackage: 'cbwp-1' },
    { AutoCreateEip: 'true' },
    { EipInstanceId: 'eip-1' },
  ]);
});
