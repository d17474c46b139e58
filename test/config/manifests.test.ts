import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import test from 'ava';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';

const run = promisify(execFile);

interface Rule {
  /** Absent from rules about paths. */
  apiGroups?: string[];
  resources?: string[];
  verbs: string[];
  resourceNames?: string[];
}

interface Webhook {
  rules?: { resources: string[] }[];
  clientConfig: { service: { name: string; namespace: string; path: string } };
  failurePolicy: string;
  sideEffects: string;
  timeoutSeconds: number;
}

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: Rule[];
  subjects?: { kind: string; name: string; namespace: string }[];
  roleRef?: { kind: string; name: string };
  data?: Record<string, string>;
  spec?: Record<string, unknown>;
  webhooks?: Webhook[];
}

/** What `kubectl apply -k` would send. */
const built = async (folder: string): Promise<Manifest[]> => {
  const { stdout } = await run('kubectl', ['kustomize', `config/${folder}`]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
};

const find = (manifests: readonly Manifest[], kind: string, name: string): Manifest => {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};

/** Every single permission as one line: `group/resource verb`, and the name where it is limited to one. */
const permissions = (rules: readonly Rule[] = []): string[] =>
  rules
    .flatMap(({ apiGroups = [], resources = [], verbs, resourceNames }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map(
            (verb) => `${group}/${resource} ${verb}${resourceNames ? ` only ${resourceNames.join(', ')}` : ''}`,
          ),
        ),
      ),
    )
    .toSorted();

test('the controller may do in the cluster what it needs, and nothing else', async (t) => {
  const role = find(await built('rbac'), 'ClusterRole', 'knative-eip');
  t.deepEqual(permissions(role.rules), [
    '/namespaces get',
    '/nodes list',
    '/nodes watch',
    '/pods get',
    '/pods list',
    '/pods watch',
    '/pods/status patch',
    'alibabacloud.com/podeips create',
    'alibabacloud.com/podeips delete',
    'alibabacloud.com/podeips get',
    'alibabacloud.com/podeips list',
    'alibabacloud.com/podeips patch',
    'alibabacloud.com/podeips watch',
    'alibabacloud.com/podeips/status patch',
    'apiextensions.k8s.io/customresourcedefinitions get only eipholders.podeip-controller.alibabacloud.com, eippolicies.podeip-controller.alibabacloud.com, podeips.alibabacloud.com, services.serving.knative.dev',
    'apps/deployments list only ack-extend-network-controller',
    'autoscaling.internal.knative.dev/podautoscalers list',
    'events.k8s.io/events create',
    'events.k8s.io/events patch',
    'podeip-controller.alibabacloud.com/eipholders create',
    'podeip-controller.alibabacloud.com/eipholders get',
    'podeip-controller.alibabacloud.com/eipholders patch',
    'podeip-controller.alibabacloud.com/eippolicies list',
    'podeip-controller.alibabacloud.com/eippolicies watch',
    'podeip-controller.alibabacloud.com/eipusages create',
    'podeip-controller.alibabacloud.com/eipusages get',
    'podeip-controller.alibabacloud.com/eipusages patch',
    'serving.knative.dev/revisions get',
    'serving.knative.dev/services get',
    'serving.knative.dev/services list',
    'serving.knative.dev/services watch',
  ]);
});

test('the Lease that it may write is the one that the configuration names by default', async (t) => {
  const manifests = await built('rbac');
  const { leaderElection } = loadConfig({
    text: 'clusterID: c\nregionID: cn-x\nvpcID: vpc-1\n',
    env: {},
  }).config;
  const role = find(manifests, 'Role', 'knative-eip-leader-election');
  t.is(role.metadata.namespace, leaderElection.namespace);
  t.deepEqual(permissions(role.rules), [
    'coordination.k8s.io/leases create',
    `coordination.k8s.io/leases get only ${leaderElection.name}`,
    `coordination.k8s.io/leases update only ${leaderElection.name}`,
  ]);
});

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

test('what is installed as a whole allows what its parts allow, by the same names', async (t) => {
  const parts = (await Promise.all(['rbac', 'webhook', 'metrics'].map(built))).flat();
  const roles = parts.filter(({ rules }) => rules);
  t.true(roles.some(({ rules }) => rules?.some(({ resourceNames }) => resourceNames)));
  for (const folder of ['default', 'cert-manager', 'virtual-node']) {
    const manifests = await built(folder);
    for (const { kind, metadata, rules } of roles)
      t.deepEqual(
        permissions(find(manifests, kind, metadata.name).rules),
        permissions(rules),
        `${folder}: ${kind} ${metadata.name}`,
      );
  }
});

test('every binding binds a role that is there to the one service account', async (t) => {
  const manifests = await built('rbac');
  const bindings = manifests.filter(({ kind }) => kind.endsWith('Binding'));
  t.is(bindings.length, 4);
  for (const { roleRef, subjects } of bindings) {
    find(manifests, roleRef?.kind ?? '', roleRef?.name ?? '');
    t.deepEqual(subjects, [{ kind: 'ServiceAccount', name: 'knative-eip', namespace: 'knative-eip-system' }]);
  }
  find(manifests, 'ServiceAccount', 'knative-eip');
});

test('viewers of a namespace see PodEIPs, editors may give them up, and nobody else writes them', async (t) => {
  const manifests = await built('rbac');
  const viewer = find(manifests, 'ClusterRole', 'knative-eip-podeip-viewer');
  const editor = find(manifests, 'ClusterRole', 'knative-eip-podeip-editor');
  t.is(viewer.metadata.labels?.['rbac.authorization.k8s.io/aggregate-to-view'], 'true');
  t.is(editor.metadata.labels?.['rbac.authorization.k8s.io/aggregate-to-view'], undefined);
  t.is(editor.metadata.labels?.['rbac.authorization.k8s.io/aggregate-to-edit'], 'true');
  t.true(permissions(viewer.rules).every((each) => /\/podeips (get|list|watch)$/.test(each)));
  t.deepEqual(permissions(editor.rules), ['alibabacloud.com/podeips delete']);
});

test('the pods meet the restricted Pod Security Standard, and the namespace enforces it', async (t) => {
  const manifests = await built('manager');
  const deployment = find(manifests, 'Deployment', 'knative-eip');
  const { spec } = (deployment.spec ?? {})['template'] as {
    spec: {
      securityContext: object;
      priorityClassName: string;
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

const portOf = (address: string): number => Number(address.split(':').at(-1));

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

test('the RAM policy allows the actions that the product calls, and no other', (t) => {
  const policy = JSON.parse(readFileSync('config/ram-policy.json', 'utf8')) as {
    Statement: { Effect: string; Action: string[] }[];
  };
  t.deepEqual(
    policy.Statement.map(({ Effect }) => Effect),
    ['Allow'],
  );
  t.deepEqual(policy.Statement.flatMap(({ Action }) => Action).toSorted(), [
    'ecs:DescribeNetworkInterfaces',
    'vpc:AddCommonBandwidthPackageIp',
    'vpc:AllocateEipAddress',
    'vpc:AssociateEipAddress',
    'vpc:DescribeCommonBandwidthPackages',
    'vpc:DescribeEipAddresses',
    'vpc:ReleaseEipAddress',
    'vpc:RemoveCommonBandwidthPackageIp',
    'vpc:TagResources',
    'vpc:UnTagResources',
    'vpc:UnassociateEipAddress',
  ]);
});

test('the virtual node has a process, a service account and few rights of its own, and the controller runs without it', async (t) => {
  const manifests = await built('virtual-node');
  const { nodeName, kubelet } = loadConfig({ text: 'clusterID: c\nregionID: cn-x\nvpcID: vpc-1\n', env: {} }).config
    .virtualNode;
  t.deepEqual(permissions(find(manifests, 'ClusterRole', 'knative-eip-virtual-node').rules), [
    '/namespaces get',
    `/nodes get only ${nodeName}`,
    '/nodes list',
    `/nodes patch only ${nodeName}`,
    '/nodes watch',
    `/nodes/status patch only ${nodeName}`,
    '/pods list',
    'alibabacloud.com/podeips get',
    'alibabacloud.com/podeips list',
    'alibabacloud.com/podeips watch',
    'apiextensions.k8s.io/customresourcedefinitions get only eippolicies.podeip-controller.alibabacloud.com',
    'certificates.k8s.io/certificatesigningrequests create',
    'certificates.k8s.io/certificatesigningrequests get',
    'events.k8s.io/events create',
    'events.k8s.io/events patch',
    'podeip-controller.alibabacloud.com/eippolicies list',
    'podeip-controller.alibabacloud.com/eippolicies watch',
  ]);
  const own = find(manifests, 'Role', 'knative-eip-virtual-node');
  t.is(own.metadata.namespace, 'knative-eip-system');
  t.deepEqual(permissions(own.rules), [
    '/secrets create',
    '/secrets get only knative-eip-virtual-node-identity',
    '/secrets patch only knative-eip-virtual-node-identity',
    'coordination.k8s.io/leases create',
    `coordination.k8s.io/leases get only ${nodeName}`,
    `coordination.k8s.io/leases update only ${nodeName}`,
  ]);
  // The two share no rights: what is bound to one is not bound to the other, but who may read /metrics.
  for (const { kind, metadata, subjects = [] } of manifests.filter((each) => each.kind.endsWith('Binding'))) {
    t.is(subjects.length, 1);
    const isOfNode = metadata.name.startsWith('knative-eip-virtual-node');
    t.is(subjects[0]?.name.includes('virtual-node'), isOfNode, `${kind} ${metadata.name}`);
  }
  t.deepEqual(find(manifests, 'ClusterRoleBinding', 'knative-eip-virtual-node-renewal').subjects as unknown, [
    { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: `system:node:${nodeName}` },
  ]);

  interface PodSpec {
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        serviceAccountName: string;
        securityContext: object;
        containers: {
          args: string[];
          env: { name: string }[];
          envFrom: { secretRef: { name: string } }[];
          ports: { containerPort: number }[];
          securityContext: object;
        }[];
      };
    };
  }
  const [controller, node] = ['knative-eip', 'knative-eip-virtual-node'].map(
    (name) => find(manifests, 'Deployment', name).spec as unknown as PodSpec,
  );
  const runs = [controller, node].map((each) => each?.template.spec.containers[0]?.args.at(-1));
  t.deepEqual(runs, ['--only=eip', '--only=virtual-node']);
  t.is(node?.template.spec.serviceAccountName, 'knative-eip-virtual-node');
  t.not(
    node?.template.metadata.labels['app.kubernetes.io/name'],
    controller?.template.metadata.labels['app.kubernetes.io/name'],
    'the Services of the controller do not lead there',
  );
  t.deepEqual(node?.template.spec.securityContext, controller?.template.spec.securityContext);
  const [container] = node?.template.spec.containers ?? [];
  t.deepEqual(container?.securityContext, controller?.template.spec.containers[0]?.securityContext);
  t.true(container?.env.some(({ name }) => name === 'POD_IP'));
  t.true(container?.ports.some(({ containerPort }) => containerPort === portOf(kubelet.address)));
  t.is(container?.envFrom[0]?.secretRef.name, 'knative-eip-virtual-node-credentials', 'a RAM identity of its own');
});

test('what a kubelet does is a right of the service account only where the cluster has no identities of nodes', async (t) => {
  const manifests = await built('virtual-node-service-account');
  t.deepEqual(permissions(find(manifests, 'ClusterRole', 'knative-eip-virtual-node-service-account').rules), [
    '/configmaps get',
    '/nodes create',
    '/nodes get only knative-eip-virtual-node',
    '/nodes patch only knative-eip-virtual-node',
    '/nodes/status get only knative-eip-virtual-node',
    '/nodes/status patch only knative-eip-virtual-node',
    '/pods delete',
    '/pods get',
    '/pods list',
    '/pods watch',
    '/pods/status patch',
    '/secrets get',
    '/serviceaccounts/token create',
    'authentication.k8s.io/tokenreviews create',
    'authorization.k8s.io/subjectaccessreviews create',
  ]);
  const leases = find(manifests, 'Role', 'knative-eip-virtual-node-service-account');
  t.is(leases.metadata.namespace, 'kube-node-lease');
  for (const { subjects } of manifests.filter((each) => each.kind.endsWith('Binding')))
    t.is(subjects?.[0]?.name, 'knative-eip-virtual-node');
});

test('the RAM policy of the virtual node allows the actions that its process calls, and no other', (t) => {
  const policy = JSON.parse(readFileSync('config/ram-policy-virtual-node.json', 'utf8')) as {
    Statement: { Action: string[] }[];
  };
  const actions = [
    'CreateContainerGroup',
    'DeleteContainerGroup',
    'DescribeContainerGroups',
    'DescribeContainerGroupStatus',
    'DescribeContainerLog',
    'DescribeMultiContainerGroupMetric',
    'ExecContainerCommand',
  ].map((action) => `eci:${action}`);
  // Whose account it is, and which EIP an instance has.
  t.deepEqual(
    policy.Statement.flatMap(({ Action }) => Action).toSorted(),
    [...actions, 'ecs:DescribeNetworkInterfaces', 'vpc:DescribeEipAddresses'].toSorted(),
  );
});

test('to patch pods themselves is a right of its own, which nothing else brings', async (t) => {
  const manifests = await built('announce-on-pods');
  t.deepEqual(permissions(find(manifests, 'ClusterRole', 'knative-eip-announce-on-pods').rules), ['/pods patch']);
  const { roleRef, subjects } = find(manifests, 'ClusterRoleBinding', 'knative-eip-announce-on-pods');
  t.is(roleRef?.name, 'knative-eip-announce-on-pods');
  t.deepEqual(subjects, [{ kind: 'ServiceAccount', name: 'knative-eip', namespace: 'knative-eip-system' }]);
  for (const folder of ['default', 'virtual-node'])
    for (const { rules } of await built(folder)) t.false(permissions(rules).includes('/pods patch'), folder);
});

test('what is off by default needs rights of its own, which nothing else brings', async (t) => {
  const manifests = await built('service-condition');
  t.deepEqual(permissions(find(manifests, 'ClusterRole', 'knative-eip-service-condition').rules), [
    'serving.knative.dev/services/status patch',
  ]);
  const events = await built('cloudevents');
  t.is(find(events, 'Role', 'knative-eip-cloudevents').metadata.namespace, 'knative-eip-system');
  for (const each of [...manifests, ...events].filter(({ kind }) => kind.endsWith('Binding')))
    t.deepEqual(each.subjects, [{ kind: 'ServiceAccount', name: 'knative-eip', namespace: 'knative-eip-system' }]);
  for (const { rules } of await built('default')) {
    t.false(permissions(rules).includes('serving.knative.dev/services/status patch'));
    t.false(permissions(rules).some((each) => /^\/configmaps (?!get only eni-config)/u.test(each)));
  }
});

test('config/default builds, with the CRD, the roles and the deployment in it', async (t) => {
  const manifests = await built('default');
  t.truthy(find(manifests, 'CustomResourceDefinition', 'podeips.alibabacloud.com'));
  t.truthy(find(manifests, 'ClusterRole', 'knative-eip-podeip-viewer'));
  t.truthy(find(manifests, 'Deployment', 'knative-eip'));

  const { resources } = parse(readFileSync('config/default/kustomization.yaml', 'utf8')) as { resources: string[] };
  t.deepEqual(resources, ['../crd', '../rbac', '../manager', '../webhook', '../metrics']);
});
