import { z } from 'zod';
import { maybe, strings } from './wire.ts';

/* The parts of a manifest, or of an object at its admission, that say what its pods are like. */

const expressions = maybe(
  z.array(z.object({ key: z.string(), operator: z.string(), values: maybe(z.array(z.string())) })),
);

const podSpec = z.object({
  nodeName: maybe(z.string()),
  nodeSelector: maybe(strings),
  tolerations: maybe(
    z.array(
      z.object({
        key: maybe(z.string()),
        operator: maybe(z.string()),
        value: maybe(z.string()),
        effect: maybe(z.string()),
      }),
    ),
  ),
  affinity: maybe(
    z.object({
      nodeAffinity: maybe(
        z.object({
          requiredDuringSchedulingIgnoredDuringExecution: maybe(
            z.object({
              nodeSelectorTerms: z.array(z.object({ matchExpressions: expressions, matchFields: expressions })),
            }),
          ),
        }),
      ),
    }),
  ),
  hostNetwork: maybe(z.boolean()),
});

const metadata = z.object({
  name: maybe(z.string()),
  generateName: maybe(z.string()),
  namespace: maybe(z.string()),
  annotations: maybe(strings),
  labels: maybe(strings),
  deletionTimestamp: maybe(z.string()),
  ownerReferences: maybe(z.array(z.object({ kind: z.string(), name: z.string(), controller: maybe(z.boolean()) }))),
});

const template = z.object({
  metadata: maybe(z.object({ annotations: maybe(strings), labels: maybe(strings) })),
  spec: maybe(podSpec),
});

/** Any object: enough to know what it is, and whether it is read at all. */
export const headSchema = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: maybe(z.object({ name: maybe(z.string()), namespace: maybe(z.string()) })),
});

/** A pod, or a Revision, whose annotations are those of its pods. */
export const podLikeSchema = z.object({ metadata, spec: maybe(podSpec) });

/** A pod at its admission: what may be changed in it, too. */
export const podSchema = podLikeSchema.extend({
  spec: podSpec.extend({ readinessGates: maybe(z.array(z.object({ conditionType: z.string() }))) }),
});

/** What has a template: Deployments and the like, and Knative Services and Configurations. */
export const templatedSchema = z.object({
  metadata,
  spec: z.object({
    template: maybe(template),
    replicas: maybe(z.number()),
    parallelism: maybe(z.number()),
  }),
});

const probe = maybe(z.object({ exec: maybe(z.unknown()) }));

const container = z.object({
  ports: maybe(z.array(z.object({ containerPort: maybe(z.number()) }))),
  readinessProbe: probe,
  startupProbe: probe,
});

/** A Knative Service at its admission, with what its template says of its containers. */
export const serviceSchema = z.object({
  metadata,
  spec: z.object({
    template: maybe(template.extend({ spec: maybe(podSpec.extend({ containers: maybe(z.array(container)) })) })),
  }),
});

/** What a Knative Service has beside that. */
export const routedSchema = z.object({
  spec: z.object({
    traffic: maybe(
      z.array(
        z.object({
          revisionName: maybe(z.string()),
          latestRevision: maybe(z.boolean()),
          percent: maybe(z.number()),
          tag: maybe(z.string()),
        }),
      ),
    ),
  }),
  status: maybe(z.object({ observedGeneration: maybe(z.number()), latestCreatedRevisionName: maybe(z.string()) })),
});

/** A CronJob: the template is in the template of its Jobs. */
export const cronJobSchema = z.object({
  metadata,
  spec: z.object({ jobTemplate: z.object({ spec: maybe(templatedSchema.shape.spec) }) }),
});

export const namespaceSchema = z.object({ metadata: z.object({ name: z.string(), labels: maybe(strings) }) });

export const podEipSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: maybe(z.string()), labels: maybe(strings) }),
  spec: z.object({ allocationID: maybe(z.string()) }),
});

export const deploymentSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: maybe(z.object({ replicas: maybe(z.number()) })),
});

export const configMapSchema = z.object({ metadata: z.object({ name: z.string() }), data: maybe(strings) });
