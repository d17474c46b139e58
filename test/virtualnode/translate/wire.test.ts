import test from 'ava';
import { assembleCloud } from '../../../src/cloud/assemble-cloud.ts';
import { createCredentials } from '../../../src/cloud/credentials.ts';
import { SecretText } from '../../../src/config/secret.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../../src/sandbox/cloud/serve-cloud.ts';
import { groupToken } from '../../../src/virtualnode/translate/group.ts';
import { tokenKey } from '../../../src/virtualnode/translate/input.ts';
import { knativePod } from './knative-pod.ts';
import { base64, configMap, ran, settings } from './pods.ts';

test('a Knative pod reaches CreateContainerGroup as it was translated, runs with its address, and is made once', async (t) => {
  const cloud = createSandboxCloud({ clock: systemClock, random: systemRandom });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/24' });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-2', vpcId: 'vpc-1', cidrBlock: '10.2.0.0/24' });
  const received: Readonly<Record<string, string>>[] = [];
  const server = await serveCloud({
    ...cloud,
    handle: (request) => {
      const { searchParams } = new URL(request.path, 'http://127.0.0.1');
      if (request.headers['x-acs-action'] === 'CreateContainerGroup') received.push(Object.fromEntries(searchParams));
      return cloud.handle(request);
    },
  });
  t.teardown(() => server.close());
  const { accessKeyId, accessKeySecret } = sandboxCredential;
  const { containerGroups: eci } = assembleCloud({
    clock: systemClock,
    region: 'cn-hangzhou',
    endpoints: { eci: server.url },
    credentials: createCredentials(
      { accessKeyId, accessKeySecret: new SecretText(accessKeySecret), env: {} },
      systemClock,
    ),
  });

  const pod = knativePod({ user: { args: ['--motto', 'a b*/~&=', ''] } });
  const { spec } = ran(pod, {
    configMaps: [configMap('kube-root-ca.crt', { 'ca.crt': 'PEM' })],
    tokens: new Map([[tokenKey({ path: 'token', expirationSeconds: 3607 }), 'jwt']]),
    eip: { autoCreateEip: true, eipBandwidth: 10 },
  });
  const { containerGroupId } = await eci.createContainerGroup(spec);

  const query = received[0] ?? {};
  t.like(query, {
    ClientToken: groupToken(settings.clusterUid, pod.metadata.uid),
    ContainerGroupName: 'shop-hello-00001-deployment-7c9f8d6b5-x2v7k',
    SecurityGroupId: 'sg-1',
    VSwitchId: 'vsw-1,vsw-2',
    ZoneId: 'cn-hangzhou-k',
    Cpu: '1',
    Memory: '2',
    RestartPolicy: 'Always',
    HostName: 'hello-00001-deployment-7c9f8d6b5-x2v7k',
    TerminationGracePeriodSeconds: '300',
    AutoCreateEip: 'true',
    EipBandwidth: '10',
    DnsPolicy: 'None',
    'DnsConfig.NameServer.1': '172.21.0.10',
    'DnsConfig.Search.1': 'shop.svc.cluster.local',
    'DnsConfig.Option.1.Name': 'ndots',
    'DnsConfig.Option.1.Value': '5',
    'Container.1.Name': 'user-container',
    'Container.1.Arg.2': 'a b*/~&=',
    'Container.1.Port.1.Port': '8080',
    'Container.1.ReadinessProbe.TcpSocket.Port': '8080',
    'Container.1.ReadinessProbe.PeriodSeconds': '1',
    'Container.1.LifecyclePreStopHandlerHttpGetPath': '/wait-for-drain',
    'Container.1.LifecyclePreStopHandlerHttpGetPort': '8022',
    'Container.2.Name': 'queue-proxy',
    'Container.2.ReadinessProbe.TcpSocket.Port': '8012',
    'Container.2.SecurityContext.ReadOnlyRootFilesystem': 'true',
    'Container.2.SecurityContextRunAsNonRoot': 'true',
    'Volume.1.Type': 'ConfigFileVolume',
    'Volume.1.ConfigFileVolume.DefaultMode': '420',
    'Volume.1.ConfigFileVolume.ConfigFileToPath.1.Path': 'token',
    'Volume.1.ConfigFileVolume.ConfigFileToPath.1.Content': base64('jwt'),
    'Volume.1.ConfigFileVolume.ConfigFileToPath.3.Content': base64('shop'),
    'Tag.1.Key': 'knative-eip/cluster-uid',
    'Tag.3.Value': pod.metadata.uid,
  });
  // Every variable in its order, the empty ones too: some must be there for queue-proxy to start.
  for (const [index, { name, environmentVar = [] }] of spec.containers.entries())
    for (const [place, variable] of environmentVar.entries()) {
      const at = `Container.${index + 1}.EnvironmentVar.${place + 1}`;
      t.is(query[`${at}.Key`], variable.key, name);
      if ('value' in variable) t.is(query[`${at}.Value`], variable.value, variable.key);
      else t.is(query[`${at}.FieldRef.FieldPath`], 'status.podIP', variable.key);
    }
  t.false(Object.keys(query).some((key) => /HttpGet\.HttpHeader|StartupProbe|Grpc/i.test(key)));

  const [group] = await eci.describeContainerGroups({ containerGroupIds: [containerGroupId] });
  t.like(group, { status: 'Running', intranetIp: '10.1.0.1' });
  t.deepEqual(
    group?.containers.map(({ name, ready }) => [name, ready]),
    [
      ['user-container', true],
      ['queue-proxy', true],
    ],
  );
  t.is(group?.internetIp, cloud.eips()[0]?.ipAddress);
  t.deepEqual(await eci.createContainerGroup(spec), { containerGroupId });
  t.is(cloud.containerGroups().length, 1);
});
