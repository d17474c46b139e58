import test from 'ava';
import { NAMESPACE } from '../../../src/api/core.ts';
import { EIP_POLICY, type EipPolicy } from '../../../src/api/eippolicy.ts';
import type { KubeRequest } from '../../../src/kube/port.ts';
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
  await world.changePolicy('theirs', { bandwidthPackages: ['cbwp-1', 'cbwp-2'] });
  t.true((await world.until(async () => (await reasons()) === 'InForce,InForce')) < Infinity, await reasons());
  t.is((await policyOf(world, 'theirs'))?.status?.observedGeneration, 2);
  await world.stop();
});

test('a status that cannot be written is complained of once, and hinders nothing', async (t) => {
  const { world, refused } = await watched({ few: { limits: { eips: 1 } } });
  for (const [status, words] of [
    [403, /^The status of EipPolicies cannot be written; apply config\/rbac/],
    [404, /^The status of EipPolicies cannot be written, because the definition .* is older .*; apply config\/crd$/],
  ] as const) {
    refused.status = status;
    await world.changePolicy('few', { limits: { eips: status } });
    const said = () => world.complaints.filter((text) => words.test(text)).length;
    t.true((await world.until(() => said() > 0)) < Infinity, world.complaints.join('\n'));
    await world.runPod(`pod-${status}`, NEW);
    await world.pass(60_000);
    t.is(said(), 1);
  }
  t.is(world.cloud.eips().length, 2);
  refused.status = 409;
  await world.changePolicy('few', { limits: { eips: 7 } });
  await world.pass(5_000);
  refused.status = undefined;
  t.true((await world.until(async () => (await policyOf(world, 'few'))?.status?.observedGeneration === 4)) < Infinity);
  await world.stop();
});
