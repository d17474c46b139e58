import test from 'ava';
import { CRD } from '../../../src/api/apiextensions.ts';
import { NAMESPACE } from '../../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicy } from '../../../src/api/eippolicy.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import type { KubeRequest, KubeResponse } from '../../../src/kube/port.ts';
import { definitionOf } from '../../harness/cluster.ts';
import { Operating } from '../../harness/operating.ts';
import { NEW } from '../podeip/situation.ts';

const policyOf = async (world: Operating, name: string): Promise<EipPolicy | undefined> =>
  (await world.kube.list(EIP_POLICY)).find(({ metadata }) => metadata.name === name);

const readyOf = async (world: Operating, name: string) => {
  const { type, status, reason } = (await policyOf(world, name))?.status?.conditions?.[0] ?? {};
  return [type, status, reason];
};

const isStatus = ({ method, path }: KubeRequest): boolean => method === 'PATCH' && path.includes('/eippolicies/');

/** A world, and the requests that write the status of a policy. */
const watched = async (policies: Parameters<Operating['installPolicies']>[0]) => {
  const written: string[] = [];
  const refused = { status: undefined as number | undefined };
  const world = await Operating.create({
    policies,
    refuse: (request) => {
      if (!isStatus(request)) return undefined;
      written.push(request.path);
      return refused.status;
    },
  });
  return { world, written, refused };
};

test('a policy shows what it selects and what is held, and is written when that changes and at no other time', async (t) => {
  const { world, written } = await watched({
    few: { namespaceSelector: { matchLabels: { team: 'web' } }, limits: { eips: 1 } },
  });
  t.true((await world.until(async () => (await readyOf(world, 'few'))[2] === 'NoNamespace')) < Infinity);
  t.like((await policyOf(world, 'few'))?.status, {
    observedGeneration: 1,
    selects: 'team=web',
    namespaces: 0,
    pods: 0,
    eips: 0,
  });

  const labels = { metadata: { labels: { team: 'web' } } };
  await world.kube.patch(NAMESPACE, { name: 'default' }, { type: 'merge', body: labels });
  t.true(
    (await world.until(async () => (await readyOf(world, 'few'))[2] === 'InForce')) < Infinity,
    'a label is enough',
  );
  const since = (await policyOf(world, 'few'))?.status?.conditions?.[0]?.lastTransitionTime;

  for (const name of ['a', 'b']) await world.runPod(name, NEW);
  const held = async () => {
    const { pods, waiting, eips } = (await policyOf(world, 'few'))?.status ?? {};
    return [pods, waiting, eips].join();
  };
  t.true((await world.until(async () => (await held()) === '2,1,1')) < Infinity, await held());
  t.like((await policyOf(world, 'few'))?.status, {
    bandwidthMbps: 5,
    fullest: { namespace: 'default', eips: 1, bandwidthMbps: 5 },
    conditions: [{ status: 'True', lastTransitionTime: since, observedGeneration: 1 }],
  });

  const before = written.length;
  await world.pass(300_000);
  t.is(written.length, before, 'nothing changes, and nothing is written');
  t.true(
    written.every((path) => path.endsWith('/few/status')),
    written.join(),
  );
  for (const name of ['a', 'b']) await world.endPod(name);
  t.true((await world.until(async () => (await held()) === '0,0,0', 300_000)) < Infinity, await held());
  t.is((await policyOf(world, 'few'))?.status?.fullest, undefined);
  await world.stop();
});

test('two policies that contradict each other say so until one of them is changed', async (t) => {
  const { world } = await watched({
    mine: { bandwidthPackages: ['cbwp-1'] },
    theirs: { namespaces: ['default'], bandwidthPackages: ['cbwp-2'] },
  });
  const reasons = async () => [(await readyOf(world, 'mine'))[2], (await readyOf(world, 'theirs'))[2]].join();
  t.true(
    (await world.until(async () => (await reasons()) === 'Contradicted,Contradicted')) < Infinity,
    await reasons(),
  );
  // Flux and others that read conditions as kstatus does need not wait for what never comes.
  const stalled = async (name: string) =>
    (await policyOf(world, name))?.status?.conditions?.find(({ type }) => type === 'Stalled');
  for (const name of ['mine', 'theirs'])
    t.like(await stalled(name), { status: 'True', reason: 'Contradicted', observedGeneration: 1 });
  await world.changePolicy('theirs', { bandwidthPackages: ['cbwp-1', 'cbwp-2'] });
  t.true((await world.until(async () => (await reasons()) === 'InForce,InForce')) < Infinity, await reasons());
  t.deepEqual([await stalled('mine'), await stalled('theirs')], [undefined, undefined]);
  t.is((await policyOf(world, 'theirs'))?.status?.observedGeneration, 2);
  await world.stop();
});

test('a conflict, or a token that has expired, delays the status and is no want of a right', async (t) => {
  const { world, refused } = await watched({ few: { limits: { eips: 1 } } });
  let generation = 1;
  for (const status of [409, 401]) {
    refused.status = status;
    await world.changePolicy('few', { limits: { eips: status } });
    await world.pass(5_000);
    refused.status = undefined;
    generation += 1;
    t.true(
      (await world.until(async () => (await policyOf(world, 'few'))?.status?.observedGeneration === generation)) <
        Infinity,
    );
  }
  t.deepEqual(world.complaints, []);
  await world.stop();
});

/** As the API server says it, which names the object. */
const forbidden = (path: string): KubeResponse => {
  const name = path.split('/').at(-2)!;
  const message = `eippolicies.${EIP_POLICY.group} "${name}" is forbidden: User "controller" cannot patch resource "eippolicies/status"`;
  const body = { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403, message, details: { name } };
  return {
    status: 403,
    header: () => undefined,
    text: () => Promise.resolve(JSON.stringify(body)),
    lines: () => {
      throw new Error('an error has no lines');
    },
  };
};

/** A world in the middle of an upgrade: the program is new, and the definition of the kind or the rights are not. */
const upgrading = async (old: 'crd' | 'rbac') => {
  const writes: string[] = [];
  const lists: string[] = [];
  let lacksRight = old === 'rbac';
  const world = await Operating.create({
    way: () => ({
      isLimited: false,
      kube: (transport) => async (request) => {
        if (isStatus(request)) writes.push(request.path);
        if (request.method === 'GET' && request.path.includes('/eippolicies?')) lists.push(request.path);
        return lacksRight && isStatus(request) ? forbidden(request.path) : transport(request);
      },
      cloud: (callApi) => callApi,
    }),
  });
  const definition = structuredClone(definitionOf(EIP_POLICY)) as {
    metadata: { name: string };
    spec: { versions: { subresources?: object }[] };
  };
  const { metadata, spec } = definition;
  const without = spec.versions.map((version) => ({ ...version, subresources: undefined }));
  await world.kube.create(CRD, old === 'crd' ? { ...definition, spec: { ...spec, versions: without } } : definition);
  await world.define(EIP_USAGE);
  const apply = async () => {
    lacksRight = false;
    if (old === 'crd') await world.kube.patch(CRD, metadata, { type: 'merge', body: { spec } });
  };
  return { world, writes, lists, apply };
};

const POLICIES = Array.from({ length: 25 }, (_, index) => `team-${index}`);

for (const [old, sentence] of [
  ['crd', /^The status of EipPolicies .* definition of the kind .* older than this version; apply config\/crd$/],
  ['rbac', /^The service account may not patch the status of EipPolicies, .*; apply config\/rbac$/],
] as const)
  test(`with config/${old} of an earlier version one write in ten minutes is tried, whatever pods do`, async (t) => {
    const { world, writes, lists, apply } = await upgrading(old);
    for (const name of POLICIES) await world.addPolicy(name, { limits: { eips: 100 } });
    await world.runPod('web', NEW);
    t.true((await world.until(() => writes.length > 0, 120_000)) < Infinity);
    t.true(
      (await world.until(() => world.cloud.eips().length === 1)) < Infinity,
      'the pod has its address all the same',
    );
    // Until here it is listed for the pod too.
    await world.pass(15_000);
    const listed = lists.length;
    for (let change = 0; change < 10; change += 1) {
      const body = { metadata: { labels: { change: `${change}` } } };
      await world.kube.patch(PODEIP, { namespace: 'default', name: 'web' }, { type: 'merge', body });
      await world.pass(15_000);
    }
    t.is(writes.length, 1, writes.join('\n'));
    t.is(lists.length, listed, lists.join('\n'));
    t.true((await world.until(() => writes.length > 1, 600_000)) < Infinity, 'it is tried again');
    t.is(writes.length, 2);

    const said = world.complaints.filter((text) => text.includes('status of EipPolicies'));
    t.is(said.length, 1, said.join('\n'));
    t.regex(said[0]!, sentence);

    await apply();
    const isWritten = async () => (await world.kube.list(EIP_POLICY)).every(({ status }) => status?.observedGeneration);
    t.true((await world.until(isWritten, 610_000)) < Infinity, 'and written once it can be');
    await world.stop();
  });
