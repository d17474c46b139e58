import { ON_ECS, WITH_OWN_EIP } from './samples.ts';
import { boughtOf, deletePod, pod, readReadyReason, sample, type Lesson } from './lesson.ts';
import { READING_LESSONS } from './reading-lessons.ts';
import { knativePods, make, rollOutSample, served, until, visitor } from './demo.ts';

export const LESSONS = {
  rollout: {
    is: [
      '# An EIP that you own serves a Knative Service that is rolled out.',
      '  An EIP serves one pod, and a rollout has two: the old pod keeps it until the',
      '  new one runs, and then hands it over. Clients see the same address.',
    ],
    play: async (stage) => {
      for (const one of sample(WITH_OWN_EIP)) await make(stage, one);
      const leave = visitor(stage)(WITH_OWN_EIP);
      await served(stage);
      stage.say('  The first Revision has the EIP. A new template is applied:');
      await rollOutSample(stage);
      stage.say('  The old pod stayed Ready without the EIP, so that no request was lost.');
      await leave();
    },
  },
  'scale-to-zero': {
    is: [
      '# A Knative Service without requests has no pods, and pays for no EIP.',
      '  Its next pod gets another address. To keep one between pods, set',
      '  knative.holdOffSeconds, or name an EIP that you own.',
    ],
    play: async (stage) => {
      for (const one of sample(ON_ECS)) await make(stage, one);
      const leave = visitor(stage)(ON_ECS);
      await served(stage);
      stage.say('  Requests come, and the Service has an address. Now they stop:');
      await leave();
      await until(stage, 'the Service is at zero', async () => (await knativePods(stage)).length === 0);
      await until(stage, 'its EIP is given back', async () => (await stage.ledger.look()).length === 0);
      stage.say('  No pod, no EIP, no cost. A request comes:');
      const again = visitor(stage)(ON_ECS);
      await until(stage, 'a pod is back', async () => (await knativePods(stage)).length > 0);
      await served(stage);
      stage.say('  A new pod has a new EIP.');
      await again();
    },
  },
  quota: {
    is: [
      '# The account has room for one more EIP, and two pods want one.',
      '  The second is told why it has to wait, and gets its EIP as soon as there is',
      '  room: nobody has to do anything to it.',
    ],
    play: async (stage) => {
      const { cloud, say } = stage;
      cloud.setQuota(cloud.eips().length + 1);
      const first = await pod(stage, 'first');
      await served(stage);
      await pod(stage, 'second');
      await until(stage, 'it says why', async () => (await readReadyReason(stage, 'second')) === 'QuotaExceeded');
      say('  `kubectl get podeip` says QuotaExceeded. The first pod is deleted:');
      await deletePod(stage, first);
      // Not only its PodEIP: the pod is told last, and is asked about at the end.
      await served(stage);
      say('  The second has it.');
    },
  },
  outage: {
    is: [
      '# The cloud does not answer, and then an answer is lost.',
      '  What was asked for once must not be paid for twice: before anything is sent',
      '  again, the controller looks whether it took effect.',
    ],
    play: async (stage) => {
      const { cloud, clock, say, signal } = stage;
      const end = cloud.inject({
        action: '*',
        times: Infinity,
        fault: { effect: 'never', answer: { code: 'ServiceUnavailable' } },
      });
      say('  Every call is answered with 503 for ten seconds. Two pods ask for EIPs:');
      await pod(stage, 'first');
      await pod(stage, 'second');
      await clock.sleep(10_000, signal);
      cloud.inject({ action: 'AllocateEipAddress', fault: { answer: 'drop' } });
      end();
      say('  The cloud is back. It sells an EIP, and the connection breaks before it');
      say('  can say which:');
      await served(stage);
      say(`  Both pods have an address, and ${boughtOf(stage)} EIPs were bought.`);
    },
  },
  'tags-ignored': {
    is: [
      '# A reading of the cloud: it takes the tags of a new EIP, and drops them.',
      '  Its documentation says otherwise, and other clients tag afterwards. By the',
      '  tags an EIP is found again after a crash, so that both must work.',
    ],
    readings: ['tagsIgnored'],
    play: async (stage) => {
      await pod(stage, 'first');
      await pod(stage, 'second');
      await served(stage);
      stage.say(`  ${stage.ledger.bought()} EIPs have their tags: the controller saw that they were missing,`);
      stage.say('  and wrote them. docs/cloud-readings.md has the other readings.');
    },
  },
  ...READING_LESSONS,
} as const satisfies Readonly<Record<string, Lesson>>;
