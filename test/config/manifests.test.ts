import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import test from 'ava';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { built, find, permissions, portOf } from './built-manifests.ts';

test('the webhooks, the Service, the Secret and the names that the configuration has by default fit together', async (t) => {
  const manifests = await built('webhook');
  const { webhook, leaderElection } = loadConfig({
    text: 'clusterID: c\nregionID: cn-x\nvpcID: vpc-1\n',
    env: {},
  }).config;
  const { namespace } = leaderElection;
  find(manifests, 'Service', webhook.serviceName);
  const paths: Readonly<Record<string, readonly string[]>> = {
    MutatingWebhookConfiguration: ['/mutate/pods', '/mutate/services'],
    ValidatingWebhookConfiguration: ['/validate/workloads', '/validate/workloads', '/validate/scale'],
  };
  for (const [kind, served] of Object.entries(paths)) {
    const { webhooks = [] } = find(manifests, kind, webhook.configurationName);
    t.deepEqual(
      webhooks.map(({ clientConfig, failurePolicy, sideEffects, timeoutSeconds }) => ({
        ...clientConfig.service,
        failurePolicy,
        sideEffects,
        timeoutSeconds,
      })),
      served.map((path) => ({
        name: webhook.serviceName,
        namespace,
        path,
        port: 443,
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds: 3,
      })),
    );
  }
  const [workloads] = find(manifests, 'ValidatingWebhookConfiguration', webhook.configurationName).webhooks ?? [];
  t.deepEqual(workloads?.rules?.flatMap(({ resources }) => resources).toSorted(), [
    'configurations',
    'cronjobs',
    'daemonsets',
    'deployments',
    'jobs',
    'replicasets',
    'replicationcontrollers',
    'services',
    'statefulsets',
  ]);
  const roles = manifests.filter(({ rules }) => rules);
  t.deepEqual(Object.fromEntries(roles.map(({ kind, rules }) => [kind, permissions(rules)])), {
    ClusterRole: [
      `admissionregistration.k8s.io/mutatingwebhookconfigurations get only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/mutatingwebhookconfigurations list only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/mutatingwebhookconfigurations patch only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/mutatingwebhookconfigurations watch only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/validatingwebhookconfigurations get only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/validatingwebhookconfigurations list only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/validatingwebhookconfigurations patch only ${webhook.configurationName}`,
      `admissionregistration.k8s.io/validatingwebhookconfigurations watch only ${webhook.configurationName}`,
      'apps/deployments get',
      'apps/statefulsets get',
      'authorization.k8s.io/subjectaccessreviews create',
    ],
    Role: ['/secrets create', `/secrets get only ${webhook.secretName}`, `/secrets patch only ${webhook.secretName}`],
  });
  const bound = manifests.filter(({ kind }) => kind.endsWith('Binding'));
  for (const { kind, roleRef, subjects } of bound) {
    t.is(roleRef?.kind, kind.replace('Binding', ''));
    find(manifests, roleRef?.kind ?? '', roleRef?.name ?? '');
    t.deepEqual(subjects, [{ kind: 'ServiceAccount', name: 'knative-eip', namespace }]);
  }
  t.is(bound.length, 2);
  find(await built('cert-manager'), 'Certificate', 'knative-eip-webhook');
});

test('the pods meet the restricted Pod Security Standard, and the namespace enforces it', async (t) => {
  const manifests = await built('manager');
  const deployment = find(manifests, 'Deployment', 'knative-eip');
  const { spec } = (deployment.spec ?? {})['template'] as {
    spec: {
      securityContext: object;
      containers: { securityContext: object; image: string; resources: object }[];
    };
  };
  t.like(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  t.is(spec.containers.length, 1);
  t.like(spec.containers[0]?.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  t.is(
    find(manifests, 'Namespace', 'knative-eip-system').metadata.labels?.['pod-security.kubernetes.io/enforce'],
    'restricted',
  );
});

test('the image, the port, the probes and the selectors fit together', async (t) => {
  const manifests = await built('manager');
  const deployment = find(manifests, 'Deployment', 'knative-eip');
  const spec = deployment.spec as {
    replicas: number;
    selector: { matchLabels: object };
    template: {
      metadata: { labels: object };
      spec: {
        serviceAccountName: string;
        containers: {
          image: string;
          args: string[];
          ports: { name: string; containerPort: number }[];
          volumeMounts: { name: string; mountPath: string }[];
          [probe: string]: unknown;
        }[];
        volumes: { name: string; configMap: { name: string } }[];
      };
    };
  };
  const [container] = spec.template.spec.containers;
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  t.is(container?.image, `knative-eip:${version}`);
  t.is(spec.replicas, 2);
  t.deepEqual(container?.ports, [
    { name: 'health', containerPort: 8081 },
    { name: 'metrics', containerPort: 8443 },
    { name: 'webhook', containerPort: 9443 },
  ]);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    t.like(container?.[probe], {
      httpGet: { port: 'health', path: probe === 'readinessProbe' ? '/readyz' : '/healthz' },
    });
  t.deepEqual(container?.args, ['controller', '--config', '/etc/knative-eip/config.yaml']);
  t.is(container?.volumeMounts[0]?.mountPath, '/etc/knative-eip');
  find(manifests, 'ConfigMap', spec.template.spec.volumes[0]?.configMap.name ?? '');
  t.deepEqual(spec.selector.matchLabels, spec.template.metadata.labels);
  for (const [kind, name] of [
    ['Service', 'knative-eip-metrics'],
    ['PodDisruptionBudget', 'knative-eip'],
  ] as const) {
    const { selector } = find(manifests, kind, name).spec as { selector: { matchLabels?: object } };
    t.deepEqual(selector.matchLabels ?? selector, spec.template.metadata.labels);
  }
  t.is(
    find(await built('rbac'), 'ServiceAccount', spec.template.spec.serviceAccountName).metadata.namespace,
    deployment.metadata.namespace,
  );
});

test('the ports are those that the configuration has by default, and the status page is on the loopback address', async (t) => {
  const manifests = await built('manager');
  const { health, metrics, http, webhook } = loadConfig({
    text: 'clusterID: c\nregionID: cn-x\nvpcID: vpc-1\n',
    env: {},
  }).config;
  const { spec } = (find(manifests, 'Deployment', 'knative-eip').spec ?? {})['template'] as {
    spec: { containers: { ports: { name: string; containerPort: number }[] }[] };
  };
  const ports = Object.fromEntries(
    (spec.containers[0]?.ports ?? []).map(({ name, containerPort }) => [name, containerPort]),
  );
  t.deepEqual(ports, {
    health: portOf(health.address),
    metrics: portOf(metrics.address),
    webhook: portOf(webhook.address),
  });
  t.true(http.address.startsWith('127.0.0.1:'));
});

interface NetworkPolicySpec {
  podSelector: object;
  policyTypes: string[];
  ingress: { from: { ipBlock?: { cidr: string }; namespaceSelector?: object }[]; ports: { port: number }[] }[];
}

test('one NetworkPolicy says who reaches which port, so that half of it is never in force', async (t) => {
  const { health, metrics, webhook, virtualNode } = loadConfig({
    text: 'clusterID: c\nregionID: cn-x\nvpcID: vpc-1\n',
    env: {},
  }).config;
  const always = [webhook.address, health.address];
  for (const [folder, apiServers] of [
    ['network-policy', always],
    ['network-policy-virtual-node', [...always, virtualNode.kubelet.address]],
  ] as const) {
    const manifests = await built(folder);
    t.deepEqual(
      manifests.map(({ kind, metadata: { name } }) => `${kind} ${name}`),
      ['NetworkPolicy knative-eip'],
      folder,
    );
    const { podSelector, policyTypes, ingress } = find(manifests, 'NetworkPolicy', 'knative-eip')
      .spec as unknown as NetworkPolicySpec;
    const both = ['knative-eip', 'knative-eip-virtual-node'];
    if (folder === 'network-policy')
      t.deepEqual(podSelector, { matchLabels: { 'app.kubernetes.io/name': 'knative-eip' } });
    else
      t.deepEqual(podSelector, {
        matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'In', values: both }],
      });
    t.deepEqual(policyTypes, ['Ingress']);
    t.deepEqual(
      ingress.map(({ from, ports }) => [from.flatMap((peer) => Object.keys(peer)), ports.map(({ port }) => port)]),
      [
        [['ipBlock'], apiServers.map(portOf)],
        [['namespaceSelector'], [portOf(metrics.address)]],
        // kubectl top asks through metrics-server, which is no API server.
        ...(folder === 'network-policy-virtual-node'
          ? [[['namespaceSelector', 'podSelector'], [portOf(virtualNode.kubelet.address)]]]
          : []),
      ],
      'none is open to everybody',
    );
    // As it is, the API server refuses it: an address that nobody has filled in keeps nobody out.
    const cidrs = ingress.flatMap(({ from }) => from.flatMap(({ ipBlock }) => ipBlock?.cidr ?? []));
    t.deepEqual(
      cidrs.map((cidr) => isIP(cidr.split('/')[0] ?? '')),
      [0],
    );
  }
});

test('Prometheus is let in by its token, over TLS, through the port that the Service has', async (t) => {
  const [endpoint] = (
    find(await built('prometheus'), 'ServiceMonitor', 'knative-eip').spec as {
      endpoints: { port: string; scheme: string; bearerTokenFile?: string }[];
    }
  ).endpoints;
  const { ports } = find(await built('manager'), 'Service', 'knative-eip-metrics').spec as {
    ports: { name: string; targetPort: string }[];
  };
  t.like(endpoint, { port: ports[0]?.name, scheme: 'https' });
  t.regex(endpoint?.bearerTokenFile ?? '', /serviceaccount\/token$/);
  t.is(ports[0]?.targetPort, 'metrics');
  const roles = await built('metrics');
  t.deepEqual(permissions(find(roles, 'ClusterRole', 'knative-eip-metrics-auth').rules), [
    'authentication.k8s.io/tokenreviews create',
    'authorization.k8s.io/subjectaccessreviews create',
  ]);
  t.deepEqual(find(roles, 'ClusterRole', 'knative-eip-metrics-reader').rules as object, [
    { nonResourceURLs: ['/metrics'], verbs: ['get'] },
  ]);
});

test('the ConfigMap’s placeholders are refused, all three, and nothing else in it is wrong', async (t) => {
  const manifests = await built('manager');
  const text = manifests.find(({ kind }) => kind === 'ConfigMap')?.data?.['config.yaml'];
  const error = t.throws(() => loadConfig({ path: 'config.yaml', text, env: {} }), { instanceOf: ConfigError });
  t.deepEqual(
    error?.problems.map(({ key }) => key),
    ['clusterID', 'regionID', 'vpcID'],
  );
});

test('config/default builds, with the CRD, the roles and the deployment in it', async (t) => {
  const manifests = await built('default');
  t.truthy(find(manifests, 'CustomResourceDefinition', 'podeips.alibabacloud.com'));
  t.truthy(find(manifests, 'ClusterRole', 'knative-eip-podeip-viewer'));
  t.truthy(find(manifests, 'Deployment', 'knative-eip'));

  const { resources } = parse(readFileSync('config/default/kustomization.yaml', 'utf8')) as { resources: string[] };
  t.deepEqual(resources, ['../crd', '../rbac', '../manager', '../webhook', '../metrics']);
});
