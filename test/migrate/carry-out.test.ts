import test from 'ava';
import { OLD_TERWAY } from '../../src/rules/conflicting-controllers.ts';
import { terwayAtWork } from '../../src/rules/terway-switch.ts';
import { POOL_OFF_SINCE, POOL_WAS_OFF_SINCE } from '../../src/api/annotations.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { FINALIZER } from '../../src/api/podeip.ts';
import type { Kube, Patch } from '../../src/kube/port.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { carryOut, type CarryOutPorts } from '../../src/migrate/carry-out.ts';
import { eipOf, podEipOf } from './situations.ts';

const { signal } = new AbortController();
const BEFORE = '{"enable_eip_pool": "true", "security_group": "sg-2"}';

/** One ConfigMap, at an API server whose clock goes an hour behind that of this machine. */
const setScene = (configuration: string, annotations: Readonly<Record<string, string>> = {}) => {
  const time = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000).toISOString();
  const metadata = { namespace: 'kube-system', name: 'eni-config', uid: 'u', resourceVersion: '1' };
  let configMap = {
    metadata: { ...metadata, annotations, managedFields: [{ time }] },
    data: { eni_conf: configuration },
  };
  const patches: unknown[] = [];
  const sent: Patch[] = [];
  const kube: Partial<Kube> = {
    get: (({ plural }) => Promise.resolve(plural === CONFIG_MAP.plural ? configMap : undefined)) as Kube['get'],
    patch: ((_, __, patch) => {
      const { body } = patch;
      sent.push(patch);
      patches.push(body);
      const { data, metadata: notes } = body as { data?: { eni_conf: string }; metadata: { annotations: object } };
      const left = Object.entries({ ...configMap.metadata.annotations, ...notes.annotations });
      const kept = Object.fromEntries(left.filter(([, value]) => value !== null)) as Record<string, string>;
      configMap = { metadata: { ...configMap.metadata, annotations: kept }, data: data ?? configMap.data };
      return Promise.resolve(configMap);
    }) as Kube['patch'],
  };
  const ports = {
    kube: kube as Kube,
    clock: { ...systemClock, sleep: () => Promise.resolve() },
    cluster: { uid: 'c', id: 'c', region: 'r' },
    cloud: {} as CarryOutPorts['cloud'],
  } satisfies CarryOutPorts;
  return { ports, patches, sent, time, now: () => configMap };
};

test('the pool is switched in the configuration as it is by then, and when is told by the API server', async (t) => {
  const scene = setScene(BEFORE);
  await carryOut({ do: 'SwitchPool', to: 'off' }, scene.ports, signal);
  t.is(scene.now().data.eni_conf, BEFORE.replace('"true"', '"false"'));
  t.deepEqual(scene.now().metadata.annotations, { [POOL_OFF_SINCE]: scene.time });
  const { length } = scene.patches;
  await carryOut({ do: 'SwitchPool', to: 'off' }, scene.ports, signal);
  t.is(scene.patches.length, length, 'what is off already keeps the time of when');
  await carryOut({ do: 'SwitchPool', to: 'on' }, scene.ports, signal);
  t.is(scene.now().data.eni_conf, BEFORE);
  t.deepEqual(scene.now().metadata.annotations, { [POOL_WAS_OFF_SINCE]: scene.time }, 'for a roll-back that died');
});

test('a process that dies before it knows when the pool was switched leaves a note that holds the controller', async (t) => {
  const scene = setScene(BEFORE);
  let patches = 0;
  const patch: Kube['patch'] = (...call) => {
    patches += 1;
    return patches === 1 ? scene.ports.kube.patch(...call) : Promise.reject(new Error('killed'));
  };
  const ports = { ...scene.ports, kube: { ...scene.ports.kube, patch } };
  await t.throwsAsync(carryOut({ do: 'SwitchPool', to: 'off' }, ports, signal), { message: 'killed' });
  const left = scene.now();
  t.is(left.data.eni_conf, BEFORE.replace('"true"', '"false"'));
  const configMap = { ...left, metadata: { ...left.metadata, name: 'eni-config' } };
  t.is(terwayAtWork(configMap, [{ createdAt: Date.parse(scene.time) - 1_000 }]), OLD_TERWAY);
  t.is(terwayAtWork(configMap, [{ createdAt: Date.parse(scene.time) + 31_000 }]), undefined, 'by the last write');
  // The next run notes that time, so that later writes, and this one itself, hold nobody any more.
  await carryOut({ do: 'NoteSwitch' }, scene.ports, signal);
  t.deepEqual(scene.now().metadata.annotations, { [POOL_OFF_SINCE]: scene.time });
  t.like(scene.sent.at(-1), { fieldManager: 'knative-eip-note', body: { metadata: { resourceVersion: '1' } } });
  const { length } = scene.patches;
  await carryOut({ do: 'NoteSwitch' }, scene.ports, signal);
  t.is(scene.patches.length, length, 'a time that is noted stays');
  const isOn = setScene(BEFORE, { [POOL_OFF_SINCE]: 'being noted' });
  await carryOut({ do: 'NoteSwitch' }, isOn.ports, signal);
  t.deepEqual(isOn.patches, [], 'somebody has switched the pool on meanwhile');
});

test('a PodEIP whose EIP is listed again keeps its finalizer', async (t) => {
  const podEip = podEipOf({ metadata: { finalizers: [FINALIZER] } });
  const { ports, patches } = setScene(BEFORE);
  const cloud = { ...ports.cloud, describeEip: () => Promise.resolve(eipOf()) };
  const letGo = carryOut({ do: 'LetGo', podEip, isReleased: true }, { ...ports, cloud }, signal);
  await t.throwsAsync(letGo, { message: /left eip-1 out of a listing, and lists it again/ });
  t.deepEqual(patches, []);
});
