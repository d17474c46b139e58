import { KEYS } from '../api/annotations.ts';
import { POD, type Pod } from '../api/core.ts';
import { PODEIP } from '../api/podeip.ts';
import type { CloudReading } from '../cloud/readings.ts';
import type { EmbeddedCloud } from './cloud/sandbox-cloud.ts';
import { SAMPLES, SAMPLES_NAMESPACE } from './samples.ts';
import { removeAll, type DemoStage } from './demo.ts';

/** A demo with one subject. Its sentences fit 80 columns. */
export interface Lesson {
  readonly is: readonly string[];
  /** What the cloud must be like for it. */
  readonly readings?: readonly CloudReading[];
  /** No pod of it can have an address, and each is told so. */
  readonly isRefused?: boolean;
  play(stage: Classroom): Promise<void>;
}

export interface Classroom extends DemoStage {
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

/** The sample of this name. */
export const sample = (name: string) => SAMPLES.filter((one) => one.name === name);

/** A pod that asks for a new EIP, if not for something else. */
export const pod = (
  { kube }: Classroom,
  name: string,
  annotations: Readonly<Record<string, string>> = { [KEYS.withEip[1]]: 'true' },
  labels: Readonly<Record<string, string>> = {},
): Promise<Pod> =>
  kube.create<Pod>(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: SAMPLES_NAMESPACE, annotations, labels },
    spec: { containers: [{ name: 'app', image: 'nginx' }] },
  });

export const deletePod = ({ kube }: Classroom, { metadata }: Pod): Promise<void> =>
  kube.delete(POD, metadata, { uid: metadata.uid });

export const readReadyReason = async ({ kube }: Classroom, name: string): Promise<string | undefined> => {
  const podEip = await kube.get(PODEIP, { namespace: SAMPLES_NAMESPACE, name });
  return podEip?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
};

/** How many EIPs were bought so far, as the cloud has it. */
export const boughtOf = ({ ledger }: Classroom) => ledger.trade().bought;
