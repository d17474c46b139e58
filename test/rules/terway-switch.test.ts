import test from 'ava';
import { POOL_OFF_SINCE } from '../../src/api/annotations.ts';
import type { ConfigMap } from '../../src/api/core.ts';
import {
  ACK_EXTEND,
  OLD_TERWAY,
  OTHER_CONTROLLERS,
  remedyFor,
  servingOn,
  TERWAY_EIP_POOL,
} from '../../src/rules/conflicting-controllers.ts';
import { isTimeMissing, lastWriteOf, newestOn, terwayAtWork } from '../../src/rules/terway-switch.ts';

const SWITCHED = Date.parse('2026-11-30T10:00:00Z');
const at = (seconds: number) => ({ createdAt: SWITCHED + seconds * 1_000 });
const iso = (seconds: number) => new Date(SWITCHED + seconds * 1_000).toISOString();

/** @param written seconds after the switch at which the object was written last; null where it does not say */
const configMap = (pool: string, note: string | undefined, written: number | null = 0): ConfigMap => ({
  metadata: {
    name: 'eni-config',
    namespace: 'kube-system',
    uid: 'u',
    resourceVersion: '1',
    ...(note !== undefined && { annotations: { [POOL_OFF_SINCE]: note } }),
    ...(written !== null && { managedFields: [{ time: iso(written) }] }),
  },
  data: { eni_conf: `{ "version": "1", "enable_eip_pool": "${pool}" }` },
});

const PODS = {
  'none are found': [],
  'all are old': [at(-60), at(-30)],
  'one is old': [at(60), at(-1)],
  'one may be old, as far as clocks agree': [at(60), at(30)],
  'one does not say': [at(60), { createdAt: Number.NaN }],
  'all are new': [at(31), at(60)],
  'they cannot be read': 'unread',
  'all are known to be new': 'allNewer',
} as const;
type Pods = keyof typeof PODS;

const NEW_ONLY: readonly Pods[] = ['all are new', 'all are known to be new'];

test('what of Terway makes EIPs: each state of its ConfigMap with each state of its pods', (t) => {
  const every = Object.keys(PODS) as readonly Pods[];
  /** Which pods leave Terway at work, and as what. */
  const cases: readonly [why: string, ConfigMap | undefined, name: string, among: readonly Pods[]][] = [
    ['there is no Terway', undefined, OLD_TERWAY, []],
    ['its pool is on', configMap('true', undefined), TERWAY_EIP_POOL, every],
    ['its pool is on again, by hand', configMap('true', iso(0)), TERWAY_EIP_POOL, every],
    ['its pool was never switched by the command', configMap('false', undefined), OLD_TERWAY, []],
    ['noted', configMap('false', iso(0)), OLD_TERWAY, every.filter((it) => !NEW_ONLY.includes(it))],
    [
      'noted, and written again for something else since',
      configMap('false', iso(0), 7_200),
      OLD_TERWAY,
      every.filter((it) => !NEW_ONLY.includes(it)),
    ],
    [
      'the command died before it knew the time',
      configMap('false', 'being noted', 0),
      OLD_TERWAY,
      every.filter((it) => !NEW_ONLY.includes(it)),
    ],
    [
      'nobody can know the time',
      configMap('false', 'being noted', null),
      OLD_TERWAY,
      every.filter((it) => it !== 'all are known to be new'),
    ],
  ];
  for (const [why, it, name, among] of cases)
    for (const pods of every)
      t.is(terwayAtWork(it, PODS[pods]), among.includes(pods) ? name : undefined, `${why}; ${pods}`);
});

test('by when the data was last written: a note, or a label, is no write of it', (t) => {
  const { metadata } = configMap('false', 'being noted');
  const by = (seconds: number, fields: object) => ({ manager: 'm', time: iso(seconds), fieldsV1: fields });
  const managedFields = [by(0, { 'f:data': { 'f:eni_conf': {} } }), by(9, { 'f:metadata': { 'f:annotations': {} } })];
  const it = { metadata: { ...metadata, managedFields } };
  t.is(lastWriteOf(it), SWITCHED);
  t.is(lastWriteOf({ metadata }), SWITCHED, 'one that does not say what it wrote counts');
  t.true(isTimeMissing(it));
  t.false(isTimeMissing(configMap('false', iso(0))));
  t.false(isTimeMissing(configMap('false', undefined)));
});

test('since when a node has no Terway but the one of now: a node that came later says nothing of it', (t) => {
  const pods = [
    { ...at(40), nodeName: 'a' },
    { ...at(50), nodeName: 'a' },
    { ...at(9_000), nodeName: 'added' },
    { ...at(60), nodeName: undefined },
  ];
  t.is(newestOn(pods, 'a'), at(50).createdAt);
  t.is(newestOn(pods, 'added'), at(9_000).createdAt);
  t.is(newestOn(pods, 'without one'), at(9_000).createdAt);
  t.is(newestOn(pods, undefined), at(9_000).createdAt);
});

test('whom each of them serves, and what ends its work', (t) => {
  t.deepEqual(servingOn(OTHER_CONTROLLERS, 'ecs'), OTHER_CONTROLLERS);
  t.deepEqual(servingOn(OTHER_CONTROLLERS, 'unknown'), OTHER_CONTROLLERS);
  t.deepEqual(servingOn(OTHER_CONTROLLERS, 'eci'), [ACK_EXTEND]);
  t.regex(remedyFor(OLD_TERWAY), /^restart Terway \(kubectl -n kube-system rollout restart daemonset/);
  t.regex(remedyFor(OLD_TERWAY), /delete a Node that is away with an old pod of it once its machine is off; when/);
  t.regex(
    remedyFor(OLD_TERWAY),
    /where Terway is not in the cluster any more, delete the ConfigMap kube-system\/eni-config$/,
  );
  t.is(remedyFor(ACK_EXTEND), `turn the EIP part of ${ACK_EXTEND} off, or uninstall it`);
});
