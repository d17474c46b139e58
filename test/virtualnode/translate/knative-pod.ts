import type { WorkloadContainer, EnvVar, WorkloadProbe, WorkloadPod } from '../../../src/virtualnode/workload-pod.ts';

/*
 * A pod as Knative Serving's deployment makes it and the API server fills it in: knative/serving
 * pkg/reconciler/revision/resources/{deploy,queue}.go.
 */

const value = (name: string, text: string): EnvVar => ({ name, value: text });
const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });

/** knative.dev/pkg logging: what is used where the ConfigMap config-logging says nothing. */
export const LOGGING_CONFIG = `{
  "level": "info",
  "development": false,
  "outputPaths": ["stdout"],
  "errorOutputPaths": ["stderr"],
  "encoding": "json",
  "encoderConfig": {
    "timeKey": "timestamp",
    "levelKey": "severity",
    "nameKey": "logger",
    "callerKey": "caller",
    "messageKey": "message",
    "stacktraceKey": "stacktrace",
    "lineEnding": "",
    "levelEncoder": "",
    "timeEncoder": "iso8601",
    "durationEncoder": "",
    "callerEncoder": ""
  }
}
`;

/** knative/serving pkg/observability DefaultRequestLogTemplate. */
export const REQUEST_LOG_TEMPLATE =
  '{"httpRequest": {"requestMethod": "{{.Request.Method}}", "requestUrl": "{{js .Request.RequestURI}}", "requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, "responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}", "remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": "{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s", "protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"}';

export const TCP_PROBE = '{"tcpSocket":{"port":8080,"host":"127.0.0.1"},"successThreshold":1}';

/** Knative 1.19 and later. */
const RECENT: readonly EnvVar[] = [
  value(
    'OBSERVABILITY_CONFIG',
    JSON.stringify({
      tracing: { protocol: 'none' },
      metrics: { protocol: 'none' },
      runtime: { profiling: 'disabled' },
      requestMetrics: { protocol: 'http/protobuf', endpoint: 'http://otel-collector.observability:4318/v1/metrics' },
      requestLogTemplate: REQUEST_LOG_TEMPLATE,
    }),
  ),
];

/** Before Knative 1.19. */
const FORMER: readonly EnvVar[] = [
  value('SERVING_REQUEST_LOG_TEMPLATE', REQUEST_LOG_TEMPLATE),
  value('SERVING_ENABLE_REQUEST_LOG', 'false'),
  value('SERVING_REQUEST_METRICS_BACKEND', 'prometheus'),
  value('TRACING_CONFIG_BACKEND', 'none'),
  value('TRACING_CONFIG_ZIPKIN_ENDPOINT', ''),
  value('TRACING_CONFIG_DEBUG', 'false'),
  value('TRACING_CONFIG_SAMPLE_RATE', '0.1'),
  value('METRICS_DOMAIN', 'knative.dev/internal/serving'),
  value('ENABLE_PROFILING', 'false'),
  value('SERVING_ENABLE_PROBE_REQUEST_LOG', 'false'),
  value('METRICS_COLLECTOR_ADDRESS', ''),
];

export interface KnativeChange {
  readonly release?: 'recent' | 'former';
  /** SERVING_READINESS_PROBE. */
  readonly probe?: string;
  /** In the place of those of the same name. */
  readonly proxyEnv?: Readonly<Record<string, string>>;
  readonly user?: Partial<WorkloadContainer>;
  readonly sidecars?: readonly WorkloadContainer[];
}

const timing = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };

const queueProxy = ({ release = 'recent', probe = TCP_PROBE, proxyEnv = {} }: KnativeChange): WorkloadContainer => ({
  name: 'queue-proxy',
  image: 'gcr.io/knative-releases/knative.dev/serving/cmd/queue@sha256:d313c823f25e9b13f5f4b3b8d6c4b9ecf1a0d2a4',
  imagePullPolicy: 'IfNotPresent',
  ports: [
    { name: 'http-queueadm', containerPort: 8022, protocol: 'TCP' },
    { name: 'http-autometric', containerPort: 9090, protocol: 'TCP' },
    { name: 'http-usermetric', containerPort: 9091, protocol: 'TCP' },
    { name: 'queue-port', containerPort: 8012, protocol: 'TCP' },
    { name: 'https-port', containerPort: 8112, protocol: 'TCP' },
  ],
  resources: { requests: { cpu: '25m' } },
  readinessProbe: {
    httpGet: { path: '/', port: 8012, scheme: 'HTTP', httpHeaders: [{ name: 'K-Network-Probe', value: 'queue' }] },
    ...timing,
  },
  securityContext: { readOnlyRootFilesystem: true, runAsNonRoot: true, capabilities: {} },
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  env: [
    value('SERVING_NAMESPACE', 'shop'),
    value('SERVING_SERVICE', 'hello'),
    value('SERVING_CONFIGURATION', 'hello'),
    value('SERVING_REVISION', 'hello-00001'),
    value('QUEUE_SERVING_PORT', '8012'),
    value('QUEUE_SERVING_TLS_PORT', '8112'),
    value('CONTAINER_CONCURRENCY', '0'),
    value('REVISION_TIMEOUT_SECONDS', '300'),
    value('REVISION_RESPONSE_START_TIMEOUT_SECONDS', '0'),
    value('REVISION_IDLE_TIMEOUT_SECONDS', '0'),
    field('SERVING_POD', 'metadata.name'),
    field('SERVING_POD_IP', 'status.podIP'),
    value('SERVING_LOGGING_CONFIG', LOGGING_CONFIG),
    value('SERVING_LOGGING_LEVEL', 'info'),
    value('USER_PORT', '8080'),
    value('SYSTEM_NAMESPACE', 'knative-serving'),
    value('SERVING_READINESS_PROBE', probe),
    field('HOST_IP', 'status.hostIP'),
    value('ENABLE_HTTP2_AUTO_DETECTION', 'false'),
    value('ENABLE_HTTP_FULL_DUPLEX', 'false'),
    value('ROOT_CA', ''),
    value('ENABLE_MULTI_CONTAINER_PROBES', 'false'),
    ...(release === 'recent' ? RECENT : FORMER),
  ].map((variable) => ({
    ...variable,
    ...(proxyEnv[variable.name] !== undefined && { value: proxyEnv[variable.name] }),
  })),
});

const preStop = { httpGet: { path: '/wait-for-drain', port: 8022, scheme: 'HTTP' } };

const userContainer = (change: Partial<WorkloadContainer> = {}): WorkloadContainer => ({
  name: 'user-container',
  image: 'ghcr.io/knative/helloworld-go@sha256:2d0a4bfb1e1fb4cd22de7bf2e7f0bd7b3ba4a0a1',
  imagePullPolicy: 'IfNotPresent',
  ports: [{ name: 'user-port', containerPort: 8080, protocol: 'TCP' }],
  env: [
    value('TARGET', 'World'),
    value('PORT', '8080'),
    value('K_REVISION', 'hello-00001'),
    value('K_CONFIGURATION', 'hello'),
    value('K_SERVICE', 'hello'),
  ],
  lifecycle: { preStop },
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'FallbackToLogsOnError',
  ...change,
});

/** As an API server fills in a probe. */
export const filledIn = (probe: WorkloadProbe): WorkloadProbe => ({ ...timing, ...probe });

export const knativePod = (change: KnativeChange = {}): WorkloadPod => ({
  metadata: {
    name: 'hello-00001-deployment-7c9f8d6b5-x2v7k',
    namespace: 'shop',
    uid: '5f1c9c52-0000-4000-8000-000000000002',
    resourceVersion: '1',
    labels: {
      app: 'hello-00001',
      'pod-template-hash': '7c9f8d6b5',
      'serving.knative.dev/configuration': 'hello',
      'serving.knative.dev/configurationGeneration': '1',
      'serving.knative.dev/revision': 'hello-00001',
      'serving.knative.dev/revisionUID': '0b1c9c52-0000-4000-8000-000000000003',
      'serving.knative.dev/service': 'hello',
      'serving.knative.dev/serviceUID': '1b1c9c52-0000-4000-8000-000000000004',
    },
    annotations: {
      'k8s.aliyun.com/eci-with-eip': 'true',
      'k8s.aliyun.com/eip-bandwidth': '10',
      'serving.knative.dev/creator': 'admin',
    },
  },
  spec: {
    nodeName: 'vnode-1',
    serviceAccountName: 'default',
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 300,
    securityContext: {},
    tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists', effect: 'NoSchedule' }],
    containers: [
      userContainer(change.user),
      ...(change.sidecars ?? []).map((each) => ({ lifecycle: { preStop }, ...each })),
      queueProxy(change),
    ].map((container) => ({
      ...container,
      volumeMounts: [
        { name: 'kube-api-access-x2v7k', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
      ],
    })),
    volumes: [
      {
        name: 'kube-api-access-x2v7k',
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
          ],
        },
      },
    ],
  },
});
