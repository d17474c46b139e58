import type { z } from 'zod';
import { PROFILE } from '../api/annotations.ts';
import { SERVICE_LABEL } from '../api/knative.ts';
import type { EipClaim } from '../rules/cluster-facts.ts';
import {
  ACK_EXTEND,
  hasEipPool,
  isAckExtend,
  TERWAY_CONFIG,
  TERWAY_EIP_POOL,
} from '../rules/conflicting-controllers.ts';
import { workloadKindOf } from './read-workload.ts';
import { configMapSchema, deploymentSchema, namespaceSchema, podEipSchema } from './template.ts';

/** What the other objects of the files say about the cluster. */
interface ClusterContext {
  /** Labels by the name of the namespace. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Claims to EIPs, from the PodEIPs among the objects. */
  readonly claims: readonly EipClaim[];
  readonly otherControllers: readonly string[];
  /** `data.selectors` of the eci-profile; undefined where it is not among the objects, or says nothing. */
  readonly profile: string | undefined;
}

/** The API server writes the name of each namespace as a label of it. */
const withName = ({
  name,
  labels,
}: {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}) => ({
  ...labels,
  'kubernetes.io/metadata.name': name,
});

/** Reads the kinds that it knows and ignores all others. Never throws. */
export const readClusterContext = (objects: readonly unknown[]): ClusterContext => {
  const namespaces = new Map<string, Readonly<Record<string, string>>>();
  const claims: EipClaim[] = [];
  const others = new Set<string>();
  let profile: string | undefined;
  for (const object of objects)
    switch (workloadKindOf(object)) {
      case '/Namespace': {
        const read = namespaceSchema.safeParse(object);
        if (read.success) namespaces.set(read.data.metadata.name, withName(read.data.metadata));
        break;
      }
      case 'alibabacloud.com/PodEIP': {
        const read = podEipSchema.safeParse(object);
        if (!read.success || !read.data.spec.allocationID) break;
        const { name, namespace = 'default', labels } = read.data.metadata;
        const allocationId = read.data.spec.allocationID;
        claims.push({ allocationId, kind: 'PodEIP', namespace, name, service: labels?.[SERVICE_LABEL] });
        break;
      }
      case 'apps/Deployment': {
        const read = deploymentSchema.safeParse(object);
        if (read.success && isAckExtend({ name: read.data.metadata.name, replicas: read.data.spec?.replicas }))
          others.add(ACK_EXTEND);
        break;
      }
      case '/ConfigMap': {
        const read = configMapSchema.safeParse(object);
        if (!read.success) break;
        if (isTerwayWithPool(read.data)) others.add(TERWAY_EIP_POOL);
        if (isProfile(read.data)) profile = read.data.data?.['selectors'];
        break;
      }
      case undefined:
      default:
    }
  return { namespaces, claims, otherControllers: [...others], profile };
};

type ConfigMapOfFile = z.output<typeof configMapSchema>;

const isTerwayWithPool = ({ metadata, data }: ConfigMapOfFile): boolean =>
  metadata.name === TERWAY_CONFIG && hasEipPool(data);

const isProfile = ({ metadata: { namespace, name } }: ConfigMapOfFile): boolean =>
  namespace === PROFILE.namespace && name === PROFILE.name;
