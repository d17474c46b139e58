import { tokensEnd } from './token-lifetime.ts';
import type { Volume, WorkloadPod } from './workload-pod.ts';

/** Kubernetes puts it into every pod; its certificate changes once in years. */
const ROOT_CA = 'kube-root-ca.crt';
/** So many are named. */
const MOST_NAMED = 5;

/** The objects whose content is in the files of a volume, as `ConfigMap name`. */
const sourcesOf = ({ configMap, secret, projected }: Volume): readonly string[] =>
  [
    { configMap, secret: secret && { name: secret.secretName } },
    ...(projected?.sources ?? []).map((source) => ({ configMap: source.configMap, secret: source.secret })),
  ].flatMap((each) => [
    ...(each.configMap && each.configMap.name !== ROOT_CA ? [`ConfigMap ${each.configMap.name}`] : []),
    ...(each.secret ? [`Secret ${each.secret.name}`] : []),
  ]);

/**
 * Whether a kubelet would write the files of the volume anew: not where only a path of it is mounted
 * (https://kubernetes.io/docs/concepts/storage/volumes/#configmap).
 */
const isRefreshed = ({ name }: Volume, { spec }: WorkloadPod): boolean =>
  spec.containers.some(({ volumeMounts = [] }) =>
    volumeMounts.some((mount) => mount.name === name && !mount.subPath && !mount.subPathExpr),
  );

/** Of which objects the pod has files that stay as they are now; undefined where there are none. */
const filesStay = (pod: WorkloadPod): string | undefined => {
  const volumes = (pod.spec.volumes ?? []).filter((volume) => isRefreshed(volume, pod));
  const names = [...new Set(volumes.flatMap(sourcesOf))];
  if (names.length === 0) return undefined;
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `its files of ${names.slice(0, MOST_NAMED).join(', ')}${more} stay as they are now, and only another pod has what changes in them`;
};

/**
 * What a pod is told of what is renewed on other nodes, and not here, because an instance reads its files once: each
 * the end of a sentence.
 */
export const readOnce = (pod: WorkloadPod, mostTokenSeconds: number): readonly string[] =>
  [tokensEnd(pod, mostTokenSeconds), filesStay(pod)].filter((said) => said !== undefined);
