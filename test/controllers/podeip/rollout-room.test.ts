import test from 'ava';
import { KEYS } from '../../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import type { EipPolicySpec } from '../../../src/api/eippolicy.ts';
import { Operating } from '../../harness/operating.ts';

const NEW = { [KEYS.withEip[1]]: 'true' };

const labels = (generation: number, service = 'hello') => ({
  [SERVICE_LABEL]: service,
  [SERVICE_UID]: `uid-of-${service}`,
  [REVISION_LABEL]: `${service}-0000${generation}`,
  [CONFIGURATION_GENERATION]: String(generation),
});

const ROOM =
  '; pod old of Revision hello-00001 of the same Knative Service has one, and Knative keeps it until this pod is Ready, which it is not without an EIP: a rollout needs room for one more; have the limit raised, or delete Revision hello-00001, and requests fail until this pod is Ready';

/** What the second pod is told while the first one has the only EIP that there may be. */
const told = async (
  { policies, quota }: { readonly policies?: Readonly<Record<string, EipPolicySpec>>; readonly quota?: number },
  second: { readonly labels: Readonly<Record<string, string>>; readonly isGated?: boolean },
) => {
  const world = await Operating.create({
    ...(policies && { policies }),
    ...(quota !== undefined && { quota }),
  });
  await world.pass(5_000);
  await world.runPod('old', NEW, { isGated: true, labels: labels(1) });
  const ready = async (name: string) =>
    (await world.podEips())
      .find(({ metadata }) => metadata.name === name)
      ?.status?.conditions?.find(({ type }) => type === 'Ready');
  await world.until(async () => (await ready('old'))?.status === 'True', 60_000);
  await world.runPod('new', NEW, { isGated: true, ...second });
  const isRefused = async () => (await ready('new'))?.reason?.startsWith('Quota') === true;
  await world.until(isRefused, 60_000);
  const first = (await ready('new'))?.message ?? '';
  await world.pass(180_000);
  const later = (await ready('new'))?.message ?? '';
  await world.stop();
  return { first, later };
};

const LIMITS = {
  'a limit of a policy': { policies: { few: { limits: { eips: 1 } } } },
  'the quota of the account': { quota: 1 },
};

for (const [say, limit] of Object.entries(LIMITS))
  test(`${say}: a new Revision is told of its own predecessor, which nothing will stop, and what to do`, async (t) => {
    const { first, later } = await told(limit, { labels: labels(2) });
    t.true(first.endsWith(ROOM), first);
    t.true(later.endsWith(ROOM), later);
    t.notRegex(first, /it goes on when/u);
  });

test('who will be Ready without an EIP, or is of another Service, is not told so', async (t) => {
  const limit = LIMITS['a limit of a policy'];
  for (const second of [{ labels: labels(2), isGated: false }, { labels: labels(2, 'other') }, { labels: labels(1) }]) {
    const { later } = await told(limit, second);
    t.regex(later, /it goes on when another pod of the namespace gives its EIP back/u, JSON.stringify(second));
  }
});
