import type { KubeObject } from '../../../src/kube/port.ts';
import { releaseObjects } from './assets.ts';
import { INGRESS_CLASS } from './ingress.ts';
import { isOf, type Kubectl } from './kubectl.ts';

/** Where Knative is installed. */
export const KNATIVE_HOME = 'knative-serving';

/** The image of queue-proxy, before a test changes it. Nobody pulls it. */
export const QUEUE_IMAGE = 'dev.local/queue:1';

/** Seconds: without requests so long, a Revision is idle. 6 is the least that Knative takes. */
export const STABLE_WINDOW_S = 8;
export const GRACE_S = 8;
export const PROGRESS_DEADLINE_S = 60;

/** What an operator writes into Knative's ConfigMaps: short times, no registry to be asked, our networking layer. */
const CONFIGURATION: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'config-autoscaler': {
    'stable-window': `${STABLE_WINDOW_S}s`,
    'scale-to-zero-grace-period': `${GRACE_S}s`,
  },
  'config-deployment': {
    'queue-sidecar-image': QUEUE_IMAGE,
    'registries-skipping-tag-resolving': 'dev.local,index.docker.io',
    'progress-deadline': `${PROGRESS_DEADLINE_S}s`,
  },
  'config-network': { 'ingress-class': INGRESS_CLASS },
  'config-domain': { 'example.com': '' },
};

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const configured = (object: KubeObject): KubeObject => {
  const ours = isOf('ConfigMap')(object) ? CONFIGURATION[object.metadata.name] : undefined;
  return ours ? ({ ...object, data: { ...(object as ConfigMap).data, ...ours } } as KubeObject) : object;
};

/** The program of an image of Knative's, by the path of its source. */
export const knativeProgramOf = (image: string): string | undefined => /\/serving\/cmd\/([a-z-]+)/.exec(image)?.[1];

/** `kubectl apply` of Knative Serving's release, as its manual says: first the kinds, then everything else. */
export const installKnative = async (kubectl: Kubectl, folders: readonly string[] = ['core']): Promise<void> => {
  const objects = await releaseObjects(...folders);
  const kinds = objects.filter(isOf('CustomResourceDefinition'));
  await kubectl.apply(kinds, '--server-side');
  await kubectl('wait', '--for=condition=Established', '--all', 'crd', '--timeout=60s');
  const first = objects.filter(isOf('Namespace'));
  // Autoscalers of the activator and the webhook would ask for metrics of a kind that nobody serves here.
  const rest = objects.filter((object) => !isOf('CustomResourceDefinition', 'HorizontalPodAutoscaler')(object));
  await kubectl.apply(first, '--server-side');
  await kubectl.apply(rest.map(configured), '--server-side');
};

/** Waits until all of it is available. */
export const knativeIsAvailable = (kubectl: Kubectl) =>
  kubectl('-n', KNATIVE_HOME, 'wait', '--for=condition=Available', 'deployment', '--all', '--timeout=120s');
