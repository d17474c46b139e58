import { readFileSync } from 'node:fs';
import test from 'ava';
import { loadConfig } from '../../src/config/load.ts';
import { built, find, permissions, portOf } from './built-manifests.ts';

test('the controller may do in the cluster what it needs, and nothing else', async (t) => {
  const role = find(await built('rbac'), 'ClusterRole', 'knative-eip');
  t.deepEqual(permissions(role.rules), [
    '/namespaces get',
    '/namespaces list',
    '/namespaces watch',
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
    'podeip-controller.alibabacloud.com/eippolicies/status patch',
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
    '/secrets get only knative-eip-virtual-node-identity',
    '/secrets patch only knative-eip-virtual-node-identity',
    'coordination.k8s.io/leases create',
    `coordination.k8s.io/leases get only ${nodeName}`,
    `coordination.k8s.io/leases update only ${nodeName}`,
  ]);
  const heartbeat = find(manifests, 'Role', 'knative-eip-virtual-node-heartbeat');
  t.is(heartbeat.metadata.namespace, 'kube-node-lease');
  t.deepEqual(permissions(heartbeat.rules), [
    `coordination.k8s.io/leases get only ${nodeName}`,
    `coordination.k8s.io/leases patch only ${nodeName}`,
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
          env: { name: string; valueFrom: { secretKeyRef?: { name: string; key: string; optional: boolean } } }[];
          envFrom?: unknown;
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
  // A RAM identity of its own. And whoever may create Secrets chooses no other variable of a process.
  for (const [deployment, secret] of [
    [controller, 'knative-eip-credentials'],
    [node, 'knative-eip-virtual-node-credentials'],
  ] as const) {
    const [{ env, envFrom } = { env: [] }] = deployment?.template.spec.containers ?? [];
    t.is(envFrom, undefined);
    t.deepEqual(
      env.flatMap(({ name, valueFrom: { secretKeyRef } }) =>
        secretKeyRef ? [{ variable: name, ...secretKeyRef }] : [],
      ),
      ['ACCESS_KEY_ID', 'ACCESS_KEY_SECRET', 'SECURITY_TOKEN'].map((each) => ({
        variable: `ALIBABA_CLOUD_${each}`,
        name: secret,
        key: `ALIBABA_CLOUD_${each}`,
        optional: true,
      })),
    );
  }
  const secrets = manifests.filter(({ kind }) => kind === 'Secret');
  t.deepEqual(
    secrets.map(({ metadata, ...more }) => [metadata.name, 'data' in more, 'stringData' in more]),
    [['knative-eip-virtual-node-identity', false, false]],
    'applying the folder again overwrites no certificate',
  );
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
    '/persistentvolumeclaims get',
    '/persistentvolumes get',
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
    'CreateImageCache',
    'DeleteImageCache',
    'DescribeImageCaches',
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

test('the eci-profile needs one ConfigMap of kube-system, and a webhook that is asked about every pod and refuses none', async (t) => {
  const manifests = await built('virtual-node-eci-profile');
  const name = 'knative-eip-eci-profile';
  const role = find(manifests, 'Role', name);
  t.is(role.metadata.namespace, 'kube-system');
  t.deepEqual(permissions(role.rules), ['/configmaps list only eci-profile', '/configmaps watch only eci-profile']);
  const { roleRef, subjects, metadata } = find(manifests, 'RoleBinding', name);
  t.like(roleRef, { kind: 'Role', name });
  t.is(metadata.namespace, 'kube-system');
  t.deepEqual(subjects, [{ kind: 'ServiceAccount', name: 'knative-eip', namespace: 'knative-eip-system' }]);

  const plain = await built('virtual-node');
  const changed = manifests.filter(
    (manifest) => !plain.some((each) => JSON.stringify(each) === JSON.stringify(manifest)),
  );
  t.deepEqual(changed.map(({ kind }) => kind).toSorted(), ['MutatingWebhookConfiguration', 'Role', 'RoleBinding']);
  const { webhooks: [before, ...others] = [] } = find(plain, 'MutatingWebhookConfiguration', 'knative-eip');
  const { webhooks = [] } = find(manifests, 'MutatingWebhookConfiguration', 'knative-eip');
  t.is(before?.failurePolicy, 'Ignore');
  t.deepEqual(webhooks.slice(1), others);
  t.deepEqual(webhooks[0], JSON.parse(JSON.stringify({ ...before, matchConditions: undefined })));
});
