import * as z from 'zod';
import { maybe, strings } from './wire.ts';

/* Schemas of the parts of an object that describe its pods; the same for manifests and AdmissionReviews. */

const expressions = maybe(
  z.array(z.object({ key: z.string(), operator: z.string(), values: maybe(z.array(z.string())) })),
);

/** The rest goes through, for `readPodSpec`. */
const podSpec = z.looseObject({
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
  readinessGates: maybe(z.array(z.object({ conditionType: z.string() }))),
  volumes: maybe(
    z.array(
      z.looseObject({
        name: z.string(),
        nfs: maybe(z.object({ server: z.string(), path: z.string() })),
        flexVolume: maybe(z.object({ driver: z.string(), options: maybe(strings) })),
        hostPath: maybe(z.object({ path: maybe(z.string()).transform((path) => path ?? '') })),
      }),
    ),
  ),
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

const inner = maybe(z.object({ name: maybe(z.string()), annotations: maybe(strings), labels: maybe(strings) }));

const template = z.object({
  metadata: inner,
  spec: maybe(podSpec),
});

/** Any Kubernetes object: enough to tell whether it is of a kind that is read. */
export const headSchema = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: maybe(z.object({ name: maybe(z.string()), namespace: maybe(z.string()) })),
});

/** A pod, or a Revision: its own annotations are those of its pods. */
export const podLikeSchema = z.object({ metadata, spec: maybe(podSpec) });

/** A pod of an AdmissionReview, with the fields that the webhook may change. */
export const podSchema = podLikeSchema.extend({ spec: podSpec });

const numberOrShare = maybe(z.union([z.number(), z.string()]));

/** Kinds with a pod template: Deployments and similar kinds, Knative Services and Configurations. */
export const templatedSchema = z.object({
  metadata,
  spec: z.object({
    template: maybe(template),
    replicas: maybe(z.number()),
    parallelism: maybe(z.number()),
    /** Of a Deployment. */
    strategy: maybe(
      z.object({
        type: maybe(z.string()),
        rollingUpdate: maybe(z.object({ maxSurge: numberOrShare, maxUnavailable: numberOrShare })),
      }),
    ),
    /** Of a StatefulSet. */
    ordinals: maybe(z.object({ start: maybe(z.number()) })),
    /** These three of a Job. */
    manualSelector: maybe(z.boolean()),
    completionMode: maybe(z.string()),
    completions: maybe(z.number()),
  }),
});

const probe = maybe(z.object({ exec: maybe(z.unknown()) }));

const container = z.object({
  ports: maybe(z.array(z.object({ containerPort: maybe(z.number()) }))),
  readinessProbe: probe,
  startupProbe: probe,
});

/** A Knative Service of an AdmissionReview, with what its template says about its containers. */
export const serviceSchema = z.object({
  metadata,
  spec: z.object({
    template: maybe(template.extend({ spec: maybe(podSpec.extend({ containers: maybe(z.array(container)) })) })),
  }),
});

/** The fields that only a Knative Service has. */
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

/** A CronJob: its pod template is inside its Job template. */
export const cronJobSchema = z.object({
  metadata,
  /** `template` is no field of it: people write annotations there that are dropped. */
  spec: z.object({
    template: maybe(z.object({ metadata: inner })),
    jobTemplate: z.object({ metadata: inner, spec: maybe(templatedSchema.shape.spec) }),
  }),
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

export const configMapSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: maybe(z.string()) }),
  data: maybe(strings),
});
