import { SERVICE } from '../api/knative.ts';
import type { Claim } from '../guard/facts.ts';
import { kindOf } from './workload.ts';
import { configMapSchema, namespaceSchema, podEipSchema } from './template.ts';

/** What the objects beside the workloads say about the cluster. */
export interface Surroundings {
  /** Labels by the name of the namespace. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Of PodEIPs. */
  readonly claims: readonly Claim[];
  readonly otherControllers: readonly string[];
}

const ACK = 'ack-extend-network-controller';
/** Terway's configuration and the key that turns its pool of EIPs on. Source: AliyunContainerService/terway types/daemon/config.go. */
const TERWAY_CONFIG = 'eni-config';
const TERWAY_POOL = /"enable_eip_pool"\s*:\s*"?true"?/;

/** Reads what it knows among the objects, and ignores the rest. Never throws. */
export const readSurroundings = (objects: readonly unknown[]): Surroundings => {
  const namespaces = new Map<string, Readonly<Record<string, string>>>();
  const claims: Claim[] = [];
  const others = new Set<string>();
  for (const object of objects)
    switch (kindOf(object)) {
      case '/Namespace': {
        const read = namespaceSchema.safeParse(object);
        if (read.success) namespaces.set(read.data.metadata.name, read.data.metadata.labels ?? {});
        break;
      }
      case 'alibabacloud.com/PodEIP': {
        const read = podEipSchema.safeParse(object);
        if (!read.success || !read.data.spec.allocationID) break;
        const { name, namespace = 'default', labels } = read.data.metadata;
        const allocationId = read.data.spec.allocationID;
        claims.push({ allocationId, kind: 'PodEIP', namespace, name, service: labels?.[SERVICE] });
        break;
      }
      case 'apps/Deployment':
        if (podEipSchema.shape.metadata.safeParse((object as { metadata?: unknown }).metadata).data?.name === ACK)
          others.add(ACK);
        break;
      case '/ConfigMap': {
        const read = configMapSchema.safeParse(object);
        if (read.success && read.data.metadata.name === TERWAY_CONFIG)
          if (Object.values(read.data.data ?? {}).some((text) => TERWAY_POOL.test(text)))
            others.add('the EIP pool of Terway');
        break;
      }
      case undefined:
      default:
    }
  return { namespaces, claims, otherControllers: [...others] };
};
