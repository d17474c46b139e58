import { z } from 'zod';

/** The parts of pods and Knative Services that the webhooks read. Whatever is not of these types is somebody's mistake. */
const maybe = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? undefined);

const strings = z.record(z.string(), z.string());

const expressions = maybe(
  z.array(z.object({ key: z.string(), operator: z.string(), values: maybe(z.array(z.string())) })),
);

const placement = {
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
};

/** A pod before it is there: it may have no name yet, and has no UID. */
export const podSchema = z.object({
  metadata: z.object({
    annotations: maybe(strings),
    labels: maybe(strings),
    ownerReferences: maybe(
      z.array(
        z.object({
          apiVersion: z.string(),
          kind: z.string(),
          name: z.string(),
          uid: z.string(),
          controller: maybe(z.boolean()),
        }),
      ),
    ),
  }),
  spec: z.object({
    ...placement,
    hostNetwork: maybe(z.boolean()),
    readinessGates: maybe(z.array(z.object({ conditionType: z.string() }))),
  }),
});

const probe = maybe(z.object({ exec: maybe(z.unknown()) }));

/** A Knative Service, with what its template says of its containers. */
export const serviceSchema = z.object({
  metadata: z.object({ deletionTimestamp: maybe(z.string()) }),
  spec: z.object({
    template: maybe(
      z.object({
        metadata: maybe(z.object({ annotations: maybe(strings), labels: maybe(strings) })),
        spec: maybe(
          z.object({
            ...placement,
            containers: maybe(
              z.array(
                z.object({
                  ports: maybe(z.array(z.object({ containerPort: maybe(z.number()) }))),
                  readinessProbe: probe,
                  startupProbe: probe,
                }),
              ),
            ),
          }),
        ),
      }),
    ),
  }),
});
