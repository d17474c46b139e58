import { NODE_TYPE, OUR_VIRTUAL_NODE, VIRTUAL_KUBELET } from '../../api/annotations.ts';
import { CRD, type CustomResourceDefinition } from '../../api/apiextensions.ts';
import { appsResource } from '../../api/apps.ts';
import { CONFIG_MAP, NAMESPACE, NODE } from '../../api/core.ts';
import type { Config } from '../../config/schema.ts';
import { lackingOf } from '../../controllers/preflight/installed-definition.ts';
import { findOtherControllers } from '../../controllers/preflight/other-controllers.ts';
import { SELF_SUBJECT_ACCESS_REVIEW, SUBJECT_ACCESS_REVIEW } from '../../kube/access-reviews.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { KubeObject } from '../../kube/port.ts';
import { DEFINED_NAMES } from '../defined-kinds.ts';
import type { Answer, ApiServerFact, DefinitionFact, KnativeFact, RightsFact } from '../facts.ts';
import { ask, Unanswerable, type Reading } from './ask.ts';
import type { Part } from './read-installation.ts';

/** The version, and by how much its clock is ahead: compared with ours in the middle between question and answer. */
export const readApiServer = (reading: Reading): Promise<Answer<ApiServerFact>> =>
  ask(reading, async (signal) => {
    const { transport, clock } = reading;
    const before = clock.now();
    const answer = await transport({ method: 'GET', path: '/version', accept: 'application/json', signal });
    const ours = (before + clock.now()) / 2;
    const body = await answer.text();
    if (answer.status !== 200) throw new Unanswerable(`/version answered ${answer.status}`);
    const { gitVersion } = JSON.parse(body) as { gitVersion?: unknown };
    if (typeof gitVersion !== 'string') throw new Unanswerable('/version says no version');
    const date = Date.parse(answer.header('date') ?? '');
    // The header has whole seconds, cut off.
    return { version: gitVersion, ...(!Number.isNaN(date) && { aheadMs: Math.round(date + 500 - ours) }) };
  });

export const readDefinitions = (reading: Reading): Promise<Answer<readonly DefinitionFact[]>> =>
  ask(reading, (signal) =>
    Promise.all(
      DEFINED_NAMES.map(async (name): Promise<DefinitionFact> => {
        const definition = await reading.kube.get<CustomResourceDefinition>(CRD, { name }, signal);
        const isByHelm = definition?.metadata.labels?.['app.kubernetes.io/managed-by'] === 'Helm';
        return {
          name,
          isThere: definition !== undefined,
          isByHelm,
          lacking: definition ? lackingOf(name, definition) : [],
        };
      }),
    ),
  );

/** As `resourceAttributes` of a review. */
interface NeededRight {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** Of the rights in config/ those without which nothing, or nothing of a part that is turned on, works. */
const neededRights = (namespace: string, config: Config | undefined): readonly NeededRight[] => {
  const hooks = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'];
  return [
    { group: '', resource: 'pods', verb: 'watch' },
    { group: '', resource: 'pods', subresource: 'status', verb: 'patch' },
    { group: '', resource: 'namespaces', verb: 'list' },
    { group: 'alibabacloud.com', resource: 'podeips', verb: 'create' },
    { group: 'alibabacloud.com', resource: 'podeips', verb: 'watch' },
    { group: 'alibabacloud.com', resource: 'podeips', subresource: 'status', verb: 'patch' },
    { group: 'podeip-controller.alibabacloud.com', resource: 'eippolicies', verb: 'watch' },
    { group: 'events.k8s.io', resource: 'events', verb: 'create', namespace },
    {
      group: 'coordination.k8s.io',
      resource: 'leases',
      verb: 'update',
      namespace,
      name: config?.leaderElection.name ?? 'knative-eip',
    },
    ...(config?.webhook.enabled && config.webhook.certificateDirectory === undefined
      ? hooks.map((resource) => ({
          group: 'admissionregistration.k8s.io',
          resource,
          verb: 'patch',
          name: config.webhook.configurationName,
        }))
      : []),
  ];
};

const sayRight = ({ verb, resource, subresource }: NeededRight): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;

/** Reviews are answered and not stored. In the pod it asks about itself, which everybody may. */
export const readRights = (
  reading: Reading,
  where: {
    readonly namespace: string;
    readonly serviceAccount: string | undefined;
    readonly part: Part | undefined;
    readonly config: Config | undefined;
  },
): Promise<Answer<RightsFact | undefined>> =>
  ask(reading, async (signal) => {
    const { isInPod } = reading;
    // It asks about itself there, and is not the controller.
    if (isInPod && where.part === 'virtual-node') return undefined;
    if (!isInPod && where.serviceAccount === undefined) return undefined;
    const account = { namespace: where.namespace, name: where.serviceAccount ?? 'knative-eip' };
    return missingRights(reading, account, neededRights(where.namespace, where.config), signal);
  });

/** Which of the rights a service account lacks. */
export const missingRights = async (
  { kube, isInPod }: Reading,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  asked: readonly NeededRight[],
  signal: AbortSignal,
): Promise<RightsFact> => {
  const user = `system:serviceaccount:${namespace}:${name}`;
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  const apiVersion = 'authorization.k8s.io/v1';
  const answers = await Promise.all(
    asked.map((right) => {
      const spec = { resourceAttributes: right };
      return isInPod
        ? kube.create(SELF_SUBJECT_ACCESS_REVIEW, { apiVersion, kind: 'SelfSubjectAccessReview', spec }, signal)
        : kube.create(
            SUBJECT_ACCESS_REVIEW,
            { apiVersion, kind: 'SubjectAccessReview', spec: { ...spec, user, groups } },
            signal,
          );
    }),
  );
  return { user, missing: asked.filter((_, index) => answers[index]?.status?.allowed !== true).map(sayRight) };
};

const KNATIVE = 'knative-serving';
const VERSION_LABEL = 'app.kubernetes.io/version';
const KNATIVE_DEPLOYMENT = appsResource<KubeObject>('deployments', 'Deployment');

/** Knative Serving, by its definition; the version by the label that its manifests carry. */
export const readKnative = (reading: Reading): Promise<Answer<KnativeFact | undefined>> =>
  ask(reading, async (signal) => {
    const { kube } = reading;
    const definition = await kube.get(CRD, { name: 'services.serving.knative.dev' }, signal);
    if (!definition) return undefined;
    const [controller, namespace, features] = await Promise.all([
      kube.get(KNATIVE_DEPLOYMENT, { namespace: KNATIVE, name: 'controller' }, signal),
      kube.get(NAMESPACE, { name: KNATIVE }, signal),
      kube.get(CONFIG_MAP, { namespace: KNATIVE, name: 'config-features' }, signal),
    ]);
    const version = [controller, namespace, definition]
      .map((object) => object?.metadata.labels?.[VERSION_LABEL])
      .find((label) => label !== undefined && label !== 'devel');
    const flags = Object.entries(features?.data ?? {}).filter(([key]) => !key.startsWith('_'));
    return { ...(version !== undefined && { version }), features: Object.fromEntries(flags) };
  });

export const readOtherControllers = (reading: Reading): Promise<Answer<readonly string[]>> =>
  ask(reading, (signal) => findOtherControllers(reading.kube, signal));

/** Virtual nodes that are not ours. */
export const readAddOnNodes = (reading: Reading): Promise<Answer<readonly string[]>> =>
  ask(reading, async (signal) =>
    (await reading.kube.list(NODE, { labelSelector: `${NODE_TYPE}=${VIRTUAL_KUBELET}` }, signal))
      .filter(({ metadata }) => metadata.labels?.[OUR_VIRTUAL_NODE] !== 'true')
      .map(({ metadata }) => metadata.name),
  );

/** Whether a fault says that the kind itself is not served. */
export const isKindAbsent = (error: unknown): boolean => error instanceof KubeFault && error.kind === 'notFound';
