import { isDeepStrictEqual } from 'node:util';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import { refOf } from '../../kube/store.ts';
import { revisionObjectOf } from './chain.ts';
import { ensure } from './ensure.ts';
import { LABEL } from './child-metadata.ts';
import { CONFIGURATION, REVISION, type ResourceCondition, type Configuration, type Revision } from './resources.ts';
import { knativeConditionOf, knativeTimestamp, writeStatus, type Hands } from './knative-status.ts';

const generationOf = ({ metadata }: Revision): number => Number(metadata.labels?.[LABEL.configurationGeneration]);

const isReady = (revision: Revision): boolean => knativeConditionOf(revision, 'Ready')?.status === 'True';

/**
 * One Revision for each generation of the template, and the names of the latest and the latest ready one.
 * Source: knative/serving pkg/reconciler/configuration/configuration.go.
 */
export const syncConfiguration = async (hands: Hands, key: string): Promise<Requeue> => {
  const { kube, clock } = hands;
  const configuration = await kube.get(CONFIGURATION, refOf(key));
  if (!configuration || configuration.metadata.deletionTimestamp !== undefined) return 'done';
  const { namespace, uid, generation = 1 } = configuration.metadata;
  const labelSelector = `${LABEL.configurationUid}=${uid}`;
  const revisions = await kube.list(REVISION, { namespace, labelSelector });
  const wanted = revisionObjectOf(configuration, knativeTimestamp(clock));
  const latest =
    revisions.find((revision) => generationOf(revision) === generation) ?? (await ensure(kube, REVISION, wanted));
  // A name of the user's own must come with a template of its own.
  const isTaken =
    !latest || (generationOf(latest) !== generation && !isDeepStrictEqual({ ...latest.spec }, { ...wanted.spec }));
  const latestReady = [...revisions, ...(latest ? [latest] : [])]
    .filter((it) => isReady(it) || it.metadata.name === configuration.status?.latestReadyRevisionName)
    .reduce<Revision | undefined>(
      (best, it) => (best && generationOf(best) >= generationOf(it) ? best : it),
      undefined,
    );
  await writeStatus(hands, CONFIGURATION, configuration, {
    conditions: [isTaken ? failed(nameTaken(wanted.metadata.name)) : readyFrom(configuration, latest)],
    latestCreatedRevisionName: isTaken ? configuration.status?.latestCreatedRevisionName : latest.metadata.name,
    latestReadyRevisionName: latestReady?.metadata.name,
  });
  return 'done';
};

const nameTaken = (name: string): string =>
  `Revision creation failed with message: revisions.serving.knative.dev "${name}" already exists.`;

const failed = (message: string): ResourceCondition => ({
  type: 'Ready',
  status: 'False',
  reason: 'RevisionFailed',
  message,
});

/** A Revision that failed and is deployed again changes nothing here until it is ready. */
const readyFrom = (configuration: Configuration, latest: Revision): ResourceCondition => {
  const { status, message = '' } = knativeConditionOf(latest, 'Ready') ?? {};
  const { name } = latest.metadata;
  if (status === 'True') return { type: 'Ready', status };
  if (status === 'False') return failed(`Revision "${name}" failed with message: ${message}.`);
  const have = knativeConditionOf(configuration, 'Ready');
  const isSame = configuration.status?.latestCreatedRevisionName === name && have?.status === 'False';
  return isSame && have.message !== undefined ? failed(have.message) : { type: 'Ready', status: 'Unknown' };
};
