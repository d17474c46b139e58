import test from 'ava';
import * as fc from 'fast-check';
import { createContainerGroups } from '../../../src/cloud/alicloud/eci.ts';
import type { ContainerGroupSpec, ContainerSpec } from '../../../src/cloud/container-groups.ts';
import { callApi } from '../../../src/sandbox/cloud/sdk-transport.ts';
import { bench } from '../../sandbox/cloud-bench.ts';
import { anyPod, strangeKnativePod } from './any-pod.ts';
import { tokenKey } from '../../../src/virtualnode/translate/input.ts';
import { configMap, secret, translated } from './pods.ts';
import type { InputChange } from './pods.ts';

const SEED = 20_261_121;

const input: InputChange = {
  configMaps: [
    configMap('here', { k: 'v', long: 'x'.repeat(300) }),
    configMap('kube-root-ca.crt', { 'ca.crt': 'PEM' }),
  ],
  secrets: [
    secret('here', { k: 'v', 'not-a-name': 'v', '.dockercfg': '{"a.example":{"username":"u","password":"p"}}' }),
  ],
  tokens: new Map([[tokenKey({ path: 'token', expirationSeconds: 3607 }), 'jwt']]),
};

/** What ECI documents, as sentences that a spec breaks. */
function* broken(spec: ContainerGroupSpec): Generator<string> {
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  if (!/^[\x21-\x7e]{1,64}$/.test(spec.clientToken)) yield 'client token';
  if (!/^[a-z0-9][a-z0-9-]{0,126}[a-z0-9]$/.test(spec.containerGroupName)) yield 'name';
  if (all.length > 20 || spec.containers.length === 0) yield `${all.length} containers`;
  if ((spec.volumes?.length ?? 0) > 20) yield 'volumes';
  if (spec.vSwitchIds.length === 0 || spec.vSwitchIds.length > 10) yield 'vSwitches';
  if (spec.tags.length > 20 || new Set(spec.tags.map(({ key }) => key)).size < spec.tags.length) yield 'tags';
  if ((spec.cpu ?? 0) > 64) yield 'cpu';
  if (spec.instanceTypes === undefined && (spec.cpu === undefined || spec.memory === undefined)) yield 'size';
  if ((spec.dnsConfig?.nameServers.length ?? 1) === 0) yield 'name servers';
  for (const container of all) yield* brokenIn(container);
}

function* brokenIn(container: ContainerSpec): Generator<string> {
  const { environmentVar = [], image, readinessProbe, livenessProbe } = container;
  if (environmentVar.length > 240) yield 'variables';
  if (new Set(environmentVar.map(({ key }) => key)).size < environmentVar.length) yield 'a variable twice';
  for (const variable of environmentVar) {
    if (!/^[A-Za-z_.-][A-Za-z0-9_.-]{0,127}$/.test(variable.key)) yield `variable ${variable.key}`;
    if ('value' in variable && variable.value.length > 256) yield `value of ${variable.key}`;
  }
  if (image.length === 0 || image.length > 255) yield 'image';
  if ((container.arg?.length ?? 0) > 100 || (container.command?.length ?? 0) > 100) yield 'arguments';
  for (const amount of [container.cpu, container.memory])
    if (amount !== undefined && !(amount > 0 && Number.isFinite(amount))) yield `amount ${amount}`;
  for (const probe of [readinessProbe, livenessProbe]) {
    if (!probe) continue;
    const { exec, httpGet, tcpSocket, ...times } = probe;
    if ([exec, httpGet, tcpSocket].filter(Boolean).length !== 1) yield 'actions';
    const port = httpGet?.port ?? tcpSocket?.port ?? 1;
    if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) yield `port ${port}`;
    if (Object.values(times).some((time) => !Number.isInteger(time))) yield 'times';
  }
}

test('whatever the pod, there is an answer; and whatever comes out of it keeps ECI’s limits and is taken by the API', async (t) => {
  const { cloud, clock } = bench();
  cloud.setLimits('CreateContainerGroup', undefined);
  for (const [index, vSwitchId] of ['vsw-1', 'vsw-2'].entries())
    cloud.world.addVSwitch({ vSwitchId, vpcId: 'vpc-1', cidrBlock: `10.${index + 1}.0.0/16` });
  const send = callApi(cloud);
  const eci = createContainerGroups({
    clock,
    region: 'cn-hangzhou',
    callApi: (params, request) => send(params, request, {}),
  });
  const count = { spec: 0, refused: 0, waiting: 0 };
  let uid = 0;
  await fc.assert(
    fc.asyncProperty(anyPod, async (pod) => {
      uid += 1;
      const own = { ...pod, metadata: { ...pod.metadata, uid: `uid-${uid}` } };
      const translation = translated(own, input);
      count[translation.kind] += 1;
      if (translation.kind === 'refused') t.true(translation.refusals.every(({ field, remedy }) => field && remedy));
      if (translation.kind !== 'spec') return;
      const { spec } = translation;
      if ([...broken(spec)].length > 0) throw new Error([...broken(spec)].join(', '));
      await eci.createContainerGroup(spec);
      if (translated(own, input).kind !== 'spec') throw new Error('another answer the second time');
    }),
    { seed: SEED, numRuns: 400 },
  );
  t.log(count);
  t.true(count.spec > 80 && count.refused > 40);
});

test('whatever is in the variables of queue-proxy, there is an answer that keeps ECI’s limits', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(strangeKnativePod, (pod) => {
        const translation = translated(pod, input);
        if (translation.kind === 'spec' && [...broken(translation.spec)].length > 0)
          throw new Error([...broken(translation.spec)].join(', '));
      }),
      { seed: SEED, numRuns: 500 },
    ),
  );
});
