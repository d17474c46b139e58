import test from 'ava';
import type { Pod } from '../../../src/api/core.ts';
import { annotationsOf, isPublished, type NetworkKey } from '../../../src/controllers/podeip/pod-announcement.ts';
import { createAnnouncer, type AnnouncePorts } from '../../../src/controllers/podeip/publish.ts';
import { KubeFault, type KubeFaultKind } from '../../../src/kube/fault.ts';
import type { Kube, Patch } from '../../../src/kube/port.ts';
import { silentLog } from '../../../src/lib/log.ts';

const K8S = 'k8s.aliyun.com/';
const NETWORK = 'network.alibabacloud.com/';
const DNS = 'external-dns.alpha.kubernetes.io/';

const podWith = (annotations: Readonly<Record<string, string>> = {}): Pod => ({
  metadata: { namespace: 'default', name: 'web-1', uid: 'pod-uid', resourceVersion: '1', annotations },
  spec: {},
});

const { signal } = new AbortController();

/** An API server that does as it is told, but for what it refuses. */
const served = (refuses: (patch: Patch) => KubeFaultKind | undefined = () => undefined) => {
  const patches: Patch[] = [];
  const warnings: string[] = [];
  let version = 1;
  let annotations = {};
  const kube = {
    patch: (_: unknown, __: unknown, patch: Patch) => {
      patches.push(patch);
      const kind = refuses(patch);
      if (kind) return Promise.reject(new KubeFault({ kind, message: 'no' }));
      const { metadata } = patch.body as { metadata: { annotations?: object } };
      version += 1;
      annotations = { ...annotations, ...metadata.annotations };
      return Promise.resolve({ metadata: { ...podWith().metadata, annotations, resourceVersion: String(version) } });
    },
  } as unknown as Kube;
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
  const announcing = (through: AnnouncePorts['through']) =>
    createAnnouncer({ kube, networkKey: 'asked', through, log });
  return { patches, warnings, announcing };
};

const partOf = ({ subresource, body }: Patch) => {
  const { metadata, status } = body as { metadata: { annotations?: object }; status?: object };
  return [subresource ?? 'pod', ...(metadata.annotations ? ['annotations'] : []), ...(status ? ['gate'] : [])].join(
    ' ',
  );
};

const ADDRESS = { says: { kind: 'address', ipAddress: '203.0.113.9' }, isGated: true, now: 0 } as const;
const NOTHING = { says: { kind: 'none' }, isGated: true, now: 0 } as const;

test('an annotation that does not stay is an error, not a reason to send it again at once', async (t) => {
  const kube = { patch: () => Promise.resolve(podWith()) } as unknown as Kube;
  const announce = createAnnouncer({ kube, networkKey: 'asked', through: 'status', log: silentLog });
  const error = await t.throwsAsync(announce(podWith(), ADDRESS, signal));
  t.like(error, { name: 'KubeFault', kind: 'invalid' });
  t.regex(error.message, /did not stay/);
});

test('through pods/status one write says all; through the pod the gate opens last and closes first', async (t) => {
  const order = async (through: AnnouncePorts['through'], what: typeof ADDRESS | typeof NOTHING) => {
    const { patches, announcing } = served();
    await announcing(through)(podWith(), what, signal);
    return patches.map(partOf);
  };
  t.deepEqual(await order('status', ADDRESS), ['status annotations gate']);
  t.deepEqual(await order('status', NOTHING), ['status annotations gate']);
  t.deepEqual(await order('pod', ADDRESS), ['pod annotations', 'status gate']);
  t.deepEqual(await order('pod', NOTHING), ['status gate', 'pod annotations']);
});

test('the second of two writes is for the pod as the first left it', async (t) => {
  const { patches, announcing } = served();
  await announcing('pod')(podWith(), ADDRESS, signal);
  t.deepEqual(
    patches.map(({ body }) => (body as { metadata: { uid: string; resourceVersion: string } }).metadata),
    [
      { uid: 'pod-uid', resourceVersion: '1', annotations: { [`${K8S}allocated-eipAddress`]: '203.0.113.9' } },
      { uid: 'pod-uid', resourceVersion: '2' },
    ] as never,
  );
});

test('whoever may not patch pods writes through pods/status, and it is said once', async (t) => {
  for (const what of [ADDRESS, NOTHING]) {
    const { patches, warnings, announcing } = served(({ subresource }) => (subresource ? undefined : 'forbidden'));
    const announce = announcing('pod');
    await announce(podWith(), what, signal);
    await announce(podWith(), what, signal);
    const written = patches.filter(({ subresource }) => subresource).map(partOf);
    t.deepEqual(written.slice(0, 2).toSorted(), ['status annotations', 'status gate']);
    t.is(warnings.length, 1);
    t.regex(warnings[0] ?? '', /config\/announce-on-pods/);
  }
});

test('a pod that is gone need not be told', async (t) => {
  for (const through of ['status', 'pod'] as const)
    await t.notThrowsAsync(served(() => 'notFound').announcing(through)(podWith(), NOTHING, signal));
  await t.throwsAsync(served(() => 'conflict').announcing('pod')(podWith(), NOTHING, signal));
});

test('which annotations tell a pod its address', (t) => {
  const asks = { [`${K8S}pod-with-eip`]: 'true' };
  const asksByNetwork = { [`${NETWORK}eip-bandwidth`]: '5', ...asks };
  const [ours, theirs, target] = [`${K8S}allocated-eipAddress`, `${NETWORK}allocated-eipAddress`, `${DNS}target`];
  const named = { ...asks, [`${DNS}hostname`]: 'a.example.org' };
  const table: readonly (readonly [
    Record<string, string>,
    string | null,
    NetworkKey,
    Record<string, string | null>,
  ])[] = [
    [asks, '1.1.1.1', 'asked', { [ours]: '1.1.1.1' }],
    [asks, '1.1.1.1', 'always', { [ours]: '1.1.1.1', [theirs]: '1.1.1.1' }],
    [asksByNetwork, '1.1.1.1', 'asked', { [ours]: '1.1.1.1', [theirs]: '1.1.1.1' }],
    [asksByNetwork, '1.1.1.1', 'never', { [ours]: '1.1.1.1' }],
    // A copy of another pod's manifest.
    [{ ...asks, [theirs]: '2.2.2.2' }, '1.1.1.1', 'never', { [ours]: '1.1.1.1', [theirs]: null }],
    [{ ...asksByNetwork, [ours]: '1.1.1.1', [theirs]: '1.1.1.1' }, null, 'asked', { [ours]: null, [theirs]: null }],
    [{ ...asks, [ours]: '1.1.1.1', [theirs]: '1.1.1.1' }, null, 'never', { [ours]: null, [theirs]: null }],
    // external-dns.
    [named, '1.1.1.1', 'asked', { [ours]: '1.1.1.1', [target]: '1.1.1.1' }],
    [named, null, 'asked', { [ours]: null }],
    [{ ...named, [ours]: '1.1.1.1', [target]: '1.1.1.1' }, null, 'asked', { [ours]: null, [target]: null }],
    [
      { ...named, [ours]: '2.2.2.2', [target]: '2.2.2.2' },
      '1.1.1.1',
      'asked',
      { [ours]: '1.1.1.1', [target]: '1.1.1.1' },
    ],
    // What its owner wrote stays.
    [{ ...named, [target]: 'lb.example.org' }, '1.1.1.1', 'asked', { [ours]: '1.1.1.1' }],
    [{ ...named, [ours]: '1.1.1.1', [target]: 'lb.example.org' }, null, 'asked', { [ours]: null }],
    [
      { ...asks, 'external-dns.kubernetes.io/hostname': 'a.example.org' },
      '1.1.1.1',
      'asked',
      { [ours]: '1.1.1.1', 'external-dns.kubernetes.io/target': '1.1.1.1' },
    ],
  ];
  for (const [annotations, ipAddress, networkKey, expected] of table) {
    const says = ipAddress === null ? ({ kind: 'none' } as const) : ({ kind: 'address', ipAddress } as const);
    const written = annotationsOf(podWith(annotations), says, networkKey);
    t.deepEqual(written, expected, JSON.stringify({ annotations, ipAddress, networkKey }));
    if (ipAddress === null) continue;
    t.false(isPublished(podWith(annotations), ipAddress, networkKey));
    const after = Object.entries({ ...annotations, ...written }).filter((it): it is [string, string] => it[1] !== null);
    t.true(isPublished(podWith(Object.fromEntries(after)), ipAddress, networkKey));
  }
});
