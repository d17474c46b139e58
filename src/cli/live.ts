import { ACK_EXTEND, TERWAY_CONFIG } from '../rules/conflicting-controllers.ts';
import { PROFILE } from '../api/annotations.ts';
import type { ManifestSource } from './explain-files.ts';
import { kubectlJson, KubectlError, type KubectlFlags } from './kubectl.ts';

interface Live {
  readonly metadata?: { readonly namespace?: string };
}

/** A live object and the objects that its explanation depends on, as far as the user may read them. */
interface LiveSources {
  readonly sources: readonly ManifestSource[];
  /** What could not be read; the object is explained without it. */
  readonly missing: readonly string[];
}

/** The objects as one manifest with one document each. */
const source = (name: string, objects: readonly unknown[], isAround: boolean): ManifestSource => ({
  name,
  read: () => objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  isAround,
});

/**
 * Reads an object by a name that kubectl takes, such as `ksvc/hello`, and beside it its Namespace, the EipPolicies, the
 * PodEIPs of its namespace, the objects that other controllers of EIPs are recognised by, and the eci-profile where it
 * is honoured. Rejects with a KubectlError if the object itself cannot be read.
 */
export const readLive = async (object: string, flags: KubectlFlags, isProfiled: boolean): Promise<LiveSources> => {
  const target = await kubectlJson<Live & { readonly items?: readonly Live[] }>(['get', object], flags);
  const targets = target.items ?? [target];
  const namespaces = [...new Set(targets.flatMap(({ metadata }) => metadata?.namespace ?? []))];
  const cluster: KubectlFlags = { connection: flags.connection };
  const asked: readonly (readonly [what: string, args: readonly string[]])[] = [
    ...namespaces.map((name) => [`the labels of namespace ${name}`, ['get', 'namespaces', name]] as const),
    ...namespaces.map(
      (name) => [`the PodEIPs of ${name}`, ['get', 'podeips.alibabacloud.com', `--namespace=${name}`]] as const,
    ),
    ['the EipPolicies', ['get', 'eippolicies.podeip-controller.alibabacloud.com']],
    [
      `whether ${ACK_EXTEND} is there`,
      ['get', 'deployments.apps', '--all-namespaces', `--field-selector=metadata.name=${ACK_EXTEND}`],
    ],
    ['the configuration of Terway', ['get', 'configmaps', TERWAY_CONFIG, '--namespace=kube-system']],
    ...(isProfiled
      ? [['the eci-profile', ['get', 'configmaps', PROFILE.name, `--namespace=${PROFILE.namespace}`]] as const]
      : []),
  ];
  const missing: string[] = [];
  const around = await Promise.all(
    asked.map(async ([what, args]) => {
      try {
        const found = await kubectlJson<Live & { readonly items?: readonly Live[] }>(args, cluster);
        return found.items ?? [found];
      } catch (error) {
        if (!(error instanceof KubectlError)) throw error;
        // No object of the kind, or no such kind, is an answer and not an error.
        if (error.isNotFound || error.message.includes("doesn't have a resource type")) return [];
        missing.push(`judged without ${what}, which cannot be read: ${error.message.split('\n', 1)[0] ?? ''}`);
        return [];
      }
    }),
  );
  return { sources: [source(object, targets, false), source('the cluster', around.flat(), true)], missing };
};
