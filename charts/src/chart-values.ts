/** A part of a JSON Schema. */
export interface ValueSchema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly items?: ValueSchema;
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | ValueSchema;
}

const flag = (description: string): ValueSchema => ({ type: 'boolean', description });
const string = (description: string, pattern?: string): ValueSchema => ({
  type: 'string',
  description,
  ...(pattern !== undefined && { pattern }),
});
const free = (description: string): ValueSchema => ({ type: 'object', description });
const list = (description: string, items: ValueSchema = { type: 'object' }): ValueSchema => ({
  type: 'array',
  items,
  description,
});
const strings = (description: string): ValueSchema => ({
  type: 'object',
  additionalProperties: { type: 'string' },
  description,
});
const group = (description: string, properties: Readonly<Record<string, ValueSchema>>): ValueSchema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  description,
});

const existingSecret = string(
  'The name of a Secret with ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, where it has one, ALIBABA_CLOUD_SECURITY_TOKEN.',
);

/** What can be said of each of the two Deployments. */
const DEPLOYMENT: Readonly<Record<string, ValueSchema>> = {
  replicas: { type: 'integer', description: 'How many processes: one works, the others wait for its Lease.' },
  resources: free('Requests and limits of the container.'),
  nodeSelector: strings('Labels of the nodes that its pods may run on.'),
  tolerations: list('Tolerations of its pods.'),
  affinity: free('Affinity of its pods.'),
  topologySpreadConstraints: list(
    'How its pods are spread. Empty: apart from each other by node and by zone, where that is possible.',
  ),
  priorityClassName: string('The PriorityClass of its pods; empty for none.'),
  podLabels: strings('More labels of its pods.'),
  podAnnotations: strings('More annotations of its pods.'),
  env: list('More environment variables, such as HTTPS_PROXY.'),
  serviceAccount: group('Its service account.', { annotations: strings('Annotations of the service account.') }),
  podDisruptionBudget: group('How many of its pods a drained node may take away.', {
    enabled: flag('Whether there is a PodDisruptionBudget.'),
    maxUnavailable: {
      type: ['integer', 'string', 'null'],
      description: 'How many may be away at once. Empty: as config/ has it.',
    },
  }),
};

/** The values of the chart that are no keys of the configuration, at the top level. */
export const OWN_VALUES: Readonly<Record<string, ValueSchema>> = {
  image: group('Where the nodes pull the image from.', {
    registry: string('The registry, and a folder of it where there is one, such as registry.example.com/team.'),
    repository: string('The name of the image.', '^[a-z0-9]'),
    tag: string('The tag. Empty: the appVersion of the chart.'),
    digest: string('The digest, in place of the tag.', '^(sha256:[0-9a-f]{64})?$'),
    pullPolicy: { type: 'string', enum: ['Always', 'IfNotPresent', 'Never'], description: 'When it is pulled.' },
    pullSecrets: list('Secrets for the registry: a list of names.', { type: 'string' }),
  }),
  ...DEPLOYMENT,
  crds: group('The kinds.', {
    enabled: flag('Whether the chart has the CustomResourceDefinitions in it, and upgrades them.'),
    keep: flag('Whether they, and with them every PodEIP and EipPolicy, stay when the release is uninstalled.'),
  }),
  admissionPolicies: group('What the API server itself refuses, whether or not the controller answers.', {
    enabled: flag('Whether there are the ValidatingAdmissionPolicies of config/admission.'),
  }),
  policies: {
    type: 'object',
    additionalProperties: { type: 'object' },
    description: 'What namespaces may do: the name of an EipPolicy to its spec, see docs/policies.md.',
  },
  serviceMonitor: group('For clusters with the Prometheus operator.', {
    enabled: flag('Whether there is a ServiceMonitor. The pods are not annotated for scraping then.'),
    labels: strings('What the operator looks for, such as release: kube-prometheus-stack.'),
    interval: string('How often it is scraped.'),
  }),
  prometheusRules: group('The alerts, for clusters with the Prometheus operator.', {
    enabled: flag('Whether there is a PrometheusRule.'),
    labels: strings('What the operator looks for.'),
    runbooksURL: string('Where docs/runbooks is published; alerts have no link without it.', '^(https?://.+)?$'),
  }),
  dashboards: group('The dashboards, for Grafana’s sidecar.', {
    enabled: flag('Whether there are ConfigMaps with the dashboards.'),
    labels: strings('What the sidecar looks for.'),
    annotations: strings('Annotations of the ConfigMaps, such as grafana_folder.'),
  }),
  networkPolicy: group('Who may reach which port.', {
    enabled: flag('Whether there is a NetworkPolicy. It needs apiServers.'),
    apiServers: list('The addresses of the API servers, as CIDRs such as 10.0.0.0/28.', {
      type: 'string',
      pattern: '^[0-9a-fA-F.:]+/[0-9]+$',
    }),
    metricsNamespaceLabels: strings('Labels of the namespaces that may read /metrics.'),
  }),
  global: free('Values of a chart that has this one in it; not looked at.'),
};

/** The values of the chart that stand beside keys of the configuration, in one of its mappings. */
export const OWN_VALUES_IN: Readonly<Record<string, Readonly<Record<string, ValueSchema>>>> = {
  credential: { existingSecret },
  webhook: {
    failurePolicy: {
      type: 'string',
      enum: ['Ignore', 'Fail'],
      description:
        'What becomes of pods, Services and workloads that mention an EIP while nobody answers: Ignore lets them pass, Fail refuses them. Scaling is never held up.',
    },
    certManager: group('The certificate of the webhooks.', {
      enabled: flag('Whether cert-manager makes it. Otherwise the controller makes and renews one.'),
    }),
  },
  cloudEvents: {
    journals: flag(
      'The right to keep journals, which a sink needs. With cloudEvents.sink it is given anyway; a SinkBinding needs it here.',
    ),
  },
  virtualNode: {
    deployment: group('The process that runs the virtual node.', {
      credential: group('How it signs in, by itself; see credential.', {
        existingSecret,
        accessKey: string('The AccessKey ID.'),
        accessSecret: string('The AccessKey secret.'),
        securityToken: string('The token of temporary credentials.'),
      }),
      ...DEPLOYMENT,
    }),
  },
};
