import { KEYS } from '../api/annotations.ts';
import { POD } from '../api/core.ts';
import { PODEIP } from '../api/podeip.ts';
import type { CloudReading } from '../cloud/readings.ts';
import type { EmbeddedCloud } from './cloud/sandbox-cloud.ts';
import { ON_ECS, SAMPLES, SAMPLES_NAMESPACE, WITH_OWN_EIP } from './samples.ts';
import { knativePods, make, removeAll, rollOut, served, until, visitor, type DemoStage } from './story.ts';

/** A story with one subject. Its sentences fit 80 columns. */
export interface Lesson {
  readonly is: readonly string[];
  /** What the cloud must be like for it. */
  readonly readings?: readonly CloudReading[];
  play(stage: Classroom): Promise<void>;
}

interface Classroom extends DemoStage {
  readonly cloud: EmbeddedCloud;
}

/** Tells a lesson, plays it, and clears up. */
export const teach = async (lesson: Lesson, stage: Classroom): Promise<void> => {
  const { kube, say, signal } = stage;
  for (const line of ['', ...lesson.is]) say(line);
  try {
    await lesson.play(stage);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  say('- everything is deleted, and addresses go back');
  await removeAll(kube);
};

const sample = (name: string) => SAMPLES.filter((one) => one.name === name);

const pod = ({ kube }: Classroom, name: string) =>
  kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: SAMPLES_NAMESPACE, annotations: { [KEYS.withEip[1]]: 'true' } },
    spec: { containers: [{ name: 'app', image: 'nginx' }] },
  });

const readyReasonOf = async ({ kube }: Classroom, name: string): Promise<string | undefined> => {
  const podEip = await kube.get(PODEIP, { namespace: SAMPLES_NAMESPACE, name });
  return podEip?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
};

/** How many EIPs were bought so far, as the cloud has it. */
const boughtOf = ({ ledger }: Classroom) => ledger.trade().bought;

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
      await rollOut(stage);
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
      const { cloud, kube, say } = stage;
      cloud.setQuota(cloud.eips().length + 1);
      const { metadata: first } = await pod(stage, 'first');
      await served(stage);
      await pod(stage, 'second');
      await until(stage, 'it says why', async () => (await readyReasonOf(stage, 'second')) === 'QuotaExceeded');
      say('  `kubectl get podeip` says QuotaExceeded. The first pod is deleted:');
      await kube.delete(POD, first, { uid: first.uid });
      await until(stage, 'the second has an address', async () => (await readyReasonOf(stage, 'second')) === 'InUse');
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
} as const satisfies Readonly<Record<string, Lesson>>;
