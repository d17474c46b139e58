import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { CloudAction } from '../../src/cloud/api-actions.ts';
import { diagnose } from '../../src/doctor/diagnose.ts';
import { addressFacts, readAddressObjects } from '../../src/doctor/reader/read-addresses.ts';
import { Operating } from '../harness/operating.ts';
import { factsOf } from './healthy.ts';
import { readingOf } from './reading.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const PACKAGE = 'cbwp-1';
const IN_PACKAGE = { ...NEW, [KEYS.bandwidthPackageId[0]]: PACKAGE };

/** Where each action that writes is first needed: before the pod has its address, or once it goes. */
const NEEDED: readonly {
  readonly action: CloudAction;
  readonly once: 'asked' | 'gone';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly dropsTags?: boolean;
}[] = [
  { action: 'AllocateEipAddress', once: 'asked' },
  { action: 'TagResources', once: 'asked', dropsTags: true },
  { action: 'AddCommonBandwidthPackageIp', once: 'asked', annotations: IN_PACKAGE },
  { action: 'AssociateEipAddress', once: 'asked' },
  { action: 'UnassociateEipAddress', once: 'gone' },
  { action: 'RemoveCommonBandwidthPackageIp', once: 'gone', annotations: IN_PACKAGE },
  { action: 'ReleaseEipAddress', once: 'gone' },
];

/** What doctor finds by the PodEIPs of a world whose rest is well. */
const findings = async (world: Operating) => {
  const podEips = await world.kube.list(PODEIP);
  const objects = await readAddressObjects(readingOf({ podeips: podEips }));
  const { podEips: facts } = await addressFacts(objects, world.clock.now());
  return diagnose(factsOf(facts.known ? { podEips: facts.value } : {})).findings.filter(
    ({ id }) => id === 'ram-action-refused',
  );
};

for (const { action, once, annotations = NEW, dropsTags = false } of NEEDED)
  test(`that vpc:${action} is missing is found by name, once the controller has needed it`, async (t) => {
    const world = await Operating.create({ readings: dropsTags ? ['tagsIgnored'] : [] });
    world.cloud.world.addBandwidthPackage(PACKAGE);
    const answer = { code: 'Forbidden.RAM', status: 403 };
    const refuse = () => world.cloud.inject({ action, times: Infinity, fault: { effect: 'never', answer } });
    if (once === 'asked') refuse();
    await world.runPod('a', annotations);
    if (once === 'gone') {
      const isServed = async () => (await world.pods())[0]?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined;
      t.true((await world.until(isServed, 120_000)) < Infinity);
      t.deepEqual(await findings(world), [], 'nothing on a healthy one');
      refuse();
      await world.endPod('a');
    }
    const found = await world.until(async () => (await findings(world)).length === 1, 240_000);
    t.true(found < Infinity, JSON.stringify((await world.podEips()).map(({ status }) => status?.conditions)));
    const [{ problem, evidence } = { problem: '', evidence: '' }] = await findings(world);
    t.is(problem, `the controller was refused what it tried, for want of vpc:${action}`);
    t.regex(evidence, /^default\/a: /);
    await world.stop();
  });
