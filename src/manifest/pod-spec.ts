import * as z from 'zod';
import { maybe, strings } from './wire.ts';

/*
 * The whole of a pod's spec, as far as the virtual node reads it (core/v1 PodSpec, which WorkloadPod has). Other fields
 * go through: what kind a volume is shows in the name of a field. A template of Knative may leave out what Knative
 * fills in.
 */

const text = maybe(z.string());
const number = maybe(z.number());
const flag = maybe(z.boolean());
const texts = maybe(z.array(z.string()));
const quantity = z.union([z.string(), z.number()]);
const quantities = maybe(z.record(z.string(), quantity));
const anything = maybe(z.looseObject({}));
/** 0: what makes the pod fills it in. */
const port = maybe(z.union([z.string(), z.number()])).transform((value) => value ?? 0);

const items = maybe(z.array(z.object({ key: z.string(), path: z.string(), mode: number })));
const fieldRef = maybe(z.object({ fieldPath: z.string() }));
const resourceFieldRef = maybe(z.object({ containerName: text, resource: z.string(), divisor: maybe(quantity) }));
const reference = { name: z.string(), optional: flag };
const downwardItems = maybe(z.array(z.object({ path: z.string(), mode: number, fieldRef, resourceFieldRef })));

const hook = {
  exec: maybe(z.object({ command: texts })),
  httpGet: maybe(
    z.object({
      path: text,
      port,
      host: text,
      scheme: text,
      httpHeaders: maybe(z.array(z.object({ name: z.string(), value: maybe(z.string()).transform((it) => it ?? '') }))),
    }),
  ),
  tcpSocket: maybe(z.object({ host: text, port })),
};
const lifecycleHook = maybe(z.object({ ...hook, sleep: maybe(z.object({ seconds: z.number() })) }));
const probe = maybe(
  z.object({
    ...hook,
    grpc: maybe(z.object({ port: number.transform((value) => value ?? 0), service: text })),
    initialDelaySeconds: number,
    periodSeconds: number,
    timeoutSeconds: number,
    successThreshold: number,
    failureThreshold: number,
  }),
);

const users = { runAsUser: number, runAsGroup: number, runAsNonRoot: flag };
const profiles = { seccompProfile: anything, appArmorProfile: anything, seLinuxOptions: anything };

const container = z.object({
  name: maybe(z.string()).transform((name) => name ?? 'user-container'),
  image: maybe(z.string()).transform((image) => image ?? ''),
  imagePullPolicy: text,
  command: texts,
  args: texts,
  workingDir: text,
  restartPolicy: text,
  env: maybe(
    z.array(
      z.object({
        name: z.string(),
        value: text,
        valueFrom: maybe(
          z.object({
            fieldRef,
            resourceFieldRef,
            configMapKeyRef: maybe(z.object({ ...reference, key: z.string() })),
            secretKeyRef: maybe(z.object({ ...reference, key: z.string() })),
          }),
        ),
      }),
    ),
  ),
  envFrom: maybe(
    z.array(
      z.object({ prefix: text, configMapRef: maybe(z.object(reference)), secretRef: maybe(z.object(reference)) }),
    ),
  ),
  ports: maybe(
    z.array(
      z.object({
        name: text,
        containerPort: number.transform((value) => value ?? 0),
        hostPort: number,
        protocol: text,
      }),
    ),
  ),
  resources: maybe(z.object({ limits: quantities, requests: quantities })),
  volumeMounts: maybe(
    z.array(
      z.object({
        name: z.string(),
        mountPath: z.string(),
        readOnly: flag,
        subPath: text,
        subPathExpr: text,
        mountPropagation: text,
      }),
    ),
  ),
  volumeDevices: maybe(z.array(z.object({ name: z.string() }))),
  readinessProbe: probe,
  livenessProbe: probe,
  startupProbe: probe,
  lifecycle: maybe(z.object({ postStart: lifecycleHook, preStop: lifecycleHook })),
  securityContext: maybe(
    z.object({
      ...users,
      ...profiles,
      privileged: flag,
      readOnlyRootFilesystem: flag,
      capabilities: maybe(z.object({ add: texts, drop: texts })),
      allowPrivilegeEscalation: flag,
    }),
  ),
  stdin: flag,
  stdinOnce: flag,
  tty: flag,
  terminationMessagePath: text,
  terminationMessagePolicy: text,
});

const volume = z.looseObject({
  name: z.string(),
  emptyDir: maybe(z.object({ medium: text, sizeLimit: maybe(quantity) })),
  configMap: maybe(z.object({ ...reference, items, defaultMode: number })),
  secret: maybe(z.object({ secretName: z.string(), optional: flag, items, defaultMode: number })),
  projected: maybe(
    z.object({
      sources: maybe(
        z.array(
          z.object({
            configMap: maybe(z.object({ ...reference, items })),
            secret: maybe(z.object({ ...reference, items })),
            downwardAPI: maybe(z.object({ items: downwardItems })),
            serviceAccountToken: maybe(z.object({ path: z.string(), audience: text, expirationSeconds: number })),
          }),
        ),
      ),
      defaultMode: number,
    }),
  ),
  downwardAPI: maybe(z.object({ items: downwardItems, defaultMode: number })),
  nfs: maybe(z.object({ server: z.string(), path: z.string(), readOnly: flag })),
  flexVolume: maybe(
    z.object({
      driver: z.string(),
      fsType: text,
      secretRef: maybe(z.object({ name: text })),
      options: maybe(strings),
    }),
  ),
  hostPath: maybe(z.object({ path: maybe(z.string()).transform((path) => path ?? ''), type: text })),
  persistentVolumeClaim: maybe(
    z.object({ claimName: maybe(z.string()).transform((name) => name ?? ''), readOnly: flag }),
  ),
  ephemeral: anything,
});

const podSpec = z.object({
  containers: z.array(container).min(1),
  initContainers: maybe(z.array(container)),
  volumes: maybe(z.array(volume)),
  restartPolicy: text,
  terminationGracePeriodSeconds: number,
  activeDeadlineSeconds: number,
  serviceAccountName: text,
  hostNetwork: flag,
  hostPID: flag,
  hostIPC: flag,
  hostname: text,
  shareProcessNamespace: flag,
  dnsPolicy: text,
  dnsConfig: maybe(
    z.object({
      nameservers: texts,
      searches: texts,
      options: maybe(z.array(z.object({ name: z.string(), value: text }))),
    }),
  ),
  hostAliases: maybe(z.array(z.object({ ip: z.string(), hostnames: texts }))),
  imagePullSecrets: maybe(z.array(z.object({ name: maybe(z.string()).transform((name) => name ?? '') }))),
  securityContext: maybe(
    z.object({
      ...users,
      ...profiles,
      sysctls: maybe(z.array(z.object({ name: z.string(), value: z.string() }))),
      fsGroup: number,
      supplementalGroups: maybe(z.array(z.number())),
      windowsOptions: anything,
    }),
  ),
});

type WholePodSpec = z.output<typeof podSpec>;

/** The spec of a pod; undefined where it is none, which the API server refuses. What is not there is left out. */
export const readPodSpec = (value: unknown): WholePodSpec | undefined => {
  const read = podSpec.safeParse(value);
  return read.success ? (JSON.parse(JSON.stringify(read.data)) as WholePodSpec) : undefined;
};
