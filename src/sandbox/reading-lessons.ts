import { KEYS } from '../api/annotations.ts';
import { PODEIP } from '../api/podeip.ts';
import { WITH_OWN_EIP, ON_ECI, SAMPLES_NAMESPACE, DEMO_EIP } from './samples.ts';
import { boughtOf, deletePod, pod, readReadyReason, sample, type Classroom, type Lesson } from './lesson.ts';
import { knativePods, make, served, until, visitor } from './demo.ts';

/** Two pods get their EIPs, and the EIPs go back. */
const twoPods = async (stage: Classroom): Promise<void> => {
  const pods = [await pod(stage, 'first'), await pod(stage, 'second')];
  await served(stage);
  stage.say(`  Two pods have their addresses, and ${boughtOf(stage)} EIPs were bought. The pods are deleted:`);
  for (const one of pods) await deletePod(stage, one);
  await until(stage, 'both EIPs are gone', async () => (await stage.ledger.look()).length === 0);
};

/** A Knative Service on an instance of ECI comes and goes. */
const onInstance = async (stage: Classroom): Promise<void> => {
  for (const one of sample(ON_ECI)) await make(stage, one);
  const leave = visitor(stage)(ON_ECI);
  await served(stage);
  stage.say('  The instance has its address. Requests stop, and it ends:');
  await leave();
  await until(stage, 'the Service is at zero', async () => (await knativePods(stage)).length === 0);
  await until(stage, 'the instance is gone', async () => {
    await stage.ledger.look();
    return stage.ledger.containerGroups() === 0;
  });
};

/** A pod whose address no EIP can be bound to is told so, and nothing is paid for. */
const noPlace = async (stage: Classroom): Promise<void> => {
  await pod(stage, 'first');
  await until(stage, 'it says why', async () => (await readReadyReason(stage, 'first')) === 'NoInterface');
  stage.say(`  \`kubectl get podeip\` says NoInterface, and ${boughtOf(stage)} EIPs were bought.`);
};

/** A lesson for each reading of the cloud but `tagsIgnored`; docs/cloud-readings.md has their sources. */
export const READING_LESSONS = {
  'tokens-remember-refusals': {
    is: [
      '# A reading of the cloud: a ClientToken that was refused is refused for ever.',
      '  A pod asks while the quota is used up. When there is room again, the same',
      '  token would hear the same no. Before the controller asks with another, it',
      '  makes sure that the first cannot take effect any more: two minutes.',
    ],
    readings: ['tokensRememberRefusals'],
    play: async (stage) => {
      stage.cloud.setQuota(stage.cloud.eips().length + 1);
      const first = await pod(stage, 'first');
      await served(stage);
      await pod(stage, 'second');
      await until(stage, 'it is refused', async () => (await readReadyReason(stage, 'second')) === 'QuotaExceeded');
      stage.say('  The second pod is refused. The first is deleted:');
      await deletePod(stage, first);
      // Not only its PodEIP: the pod is told last, and is asked about at the end.
      await served(stage);
      stage.say('  The second has an EIP, which another token has bought.');
    },
  },
  'eci-spelling': {
    is: [
      '# A reading of the cloud: an EIP of an instance is described as eci-…',
      '  Elsewhere it is described by its network interface. To see that it is where',
      '  it should be, and to unbind it, both spellings must be understood.',
    ],
    readings: ['eciSpelling'],
    play: async (stage) => {
      await onInstance(stage);
      stage.say('  Its EIP went with it, by either name.');
    },
  },
  'asynchronous-release': {
    is: [
      '# A reading of the cloud: a release is answered before it is done.',
      '  The EIP is listed as Releasing for some seconds more. The record of it stays',
      '  until it is really gone, because until then it is paid for.',
    ],
    readings: ['asynchronousRelease'],
    play: async (stage) => {
      await twoPods(stage);
      stage.say('  Their records went only after the cloud had let go of both EIPs.');
    },
  },
  'tag-filter-lag': {
    is: [
      '# A reading of the cloud: what is asked by tag is five seconds old.',
      '  After a lost answer the controller looks by tag whether it has bought an EIP.',
      '  It asks long enough, or it would buy a second one.',
    ],
    readings: ['tagFilterLag'],
    play: async (stage) => {
      stage.cloud.inject({ action: 'AllocateEipAddress', fault: { answer: 'drop' } });
      stage.say('  The answer to the first purchase is lost.');
      await twoPods(stage);
      stage.say('  Nobody bought twice.');
    },
  },
  'read-lag': {
    is: [
      '# A reading of the cloud: a look shows what was, and the next may be older.',
      '  An EIP that was just bound may be shown as free. It is bound once: one',
      '  look that contradicts what was done proves nothing.',
    ],
    readings: ['readLag'],
    play: async (stage) => {
      await twoPods(stage);
      stage.say('  Nothing was bought or bound twice.');
    },
  },
  'late-instance-address': {
    is: [
      '# A reading of the cloud: an instance runs, and does not show its address yet.',
      '  It comes ten to thirty seconds later. Until then the pod has none, and says',
      '  that it waits.',
    ],
    readings: ['lateInstanceAddress'],
    play: async (stage) => {
      await onInstance(stage);
      stage.say('  The address was told when it was there, and not before.');
    },
  },
  'gone-codes': {
    is: [
      '# A reading of the cloud: what is not there is refused with a code.',
      '  Elsewhere the list is empty. Both mean that it is gone, and neither that',
      '  something is wrong.',
    ],
    readings: ['goneCodes'],
    play: async (stage) => {
      await onInstance(stage);
      stage.say('  The instance is gone, and so is every trace of it.');
    },
  },
  'primary-filter-only': {
    is: [
      '# A reading of the cloud: a primary address is found by its own filter only.',
      '  A pod on an instance has the primary address of its interface. An EIP that',
      '  you own is bound there, so that the interface must be found by it.',
    ],
    readings: ['primaryFilterOnly'],
    play: async (stage) => {
      await pod(stage, WITH_OWN_EIP, { [KEYS.instanceId[1]]: DEMO_EIP }, { 'alibabacloud.com/eci': 'true' });
      await served(stage);
      const podEip = await stage.kube.get(PODEIP, { namespace: SAMPLES_NAMESPACE, name: WITH_OWN_EIP });
      stage.say(`  ${podEip?.spec.allocationID} is bound to the instance's interface.`);
    },
  },
  'no-interface': {
    is: [
      '# A reading of the cloud: pods are in an overlay network, such as Flannel.',
      '  Their addresses are at no interface of the VPC, and no EIP can be bound to',
      '  them. The pod is told, and nothing is bought for it.',
    ],
    isRefused: true,
    readings: ['noInterface'],
    play: noPlace,
  },
  'prefix-mode': {
    is: [
      "# A reading of the cloud: Terway gives pods addresses out of a node's prefixes.",
      '  The cloud binds no EIP to such an address. The pod is told, and nothing is',
      '  bought for it.',
    ],
    isRefused: true,
    readings: ['prefixMode'],
    play: noPlace,
  },
} as const satisfies Readonly<Record<string, Lesson>>;
