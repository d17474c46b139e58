import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../../src/api/annotations.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import { Operating } from '../../harness/operating.ts';

const EIP = 'eip-users';
const ANNOTATIONS = { [KEYS.instanceId[2]]: EIP };
const LABELS = { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: 'uid-of-hello' };
/** Within the life of a token (10 minutes in the embedded cloud). */
const PODS = 4;

test('pods that follow each other at one private address get the EIP that they name with one call each', async (t) => {
  const world = await Operating.create({ config: { existingEips: 'any' } });
  world.cloud.world.addEip({ allocationId: EIP });
  await world.pass(5_000);
  const answered = (action: string): number => world.cloud.calls()[action]?.['OK'] ?? 0;
  const took: number[] = [];
  let podIP: string | undefined;
  for (let index = 1; index <= PODS; index += 1) {
    const name = `pod-${index}`;
    await world.runPod(name, ANNOTATIONS, { labels: LABELS, isGated: true, podIP });
    const isServed = async () =>
      (await world.pods()).find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[ALLOCATED_ADDRESS] !==
      undefined;
    took.push(await world.until(isServed, 60_000));
    t.is(answered('AssociateEipAddress'), index, `pod ${index} needs one call`);
    podIP = (await world.pods())[0]?.status?.podIP;
    await world.endPod(name);
    await world.until(async () => (await world.podEips()).length === 0, 60_000);
    t.is(answered('UnassociateEipAddress'), index);
  }
  t.log(`from pod to address: ${took.join(', ')} ms`);
  await world.stop();
});
