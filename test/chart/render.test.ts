import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import test from 'ava';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { CHART, helm, HOW_TO_GET_HELM, isHelmAvailable, parseObjects, template, WHERE, type Rendered } from './helm.ts';

const run = promisify(execFile);
const helmTest = isHelmAvailable ? test : test.skip;
const titled = (title: string): string => (isHelmAvailable ? title : `${title} (${HOW_TO_GET_HELM})`);

/** What `kubectl apply -k` of these folders would send, the last of each name. */
const kustomized = async (folders: readonly string[]): Promise<Rendered[]> => {
  const objects: Rendered[] = [];
  for (const folder of folders) {
    const { stdout } = await run('kubectl', ['kustomize', folder], { maxBuffer: 16 << 20 });
    objects.push(...parseObjects(stdout));
  }
  return objects;
};

const nameOf = ({ kind, metadata: { namespace = '', name } }: Rendered): string => `${kind} ${namespace}/${name}`;

/** Labels that say which release an object is of. */
const OF_THE_RELEASE = [
  'app.kubernetes.io/instance',
  'app.kubernetes.io/managed-by',
  'app.kubernetes.io/version',
  'helm.sh/chart',
];

type Tree = Record<string, unknown>;
const without = (tree: Tree | undefined, keys: readonly string[]): Tree | undefined => {
  const rest = Object.entries(tree ?? {}).filter(([key]) => !keys.includes(key));
  return rest.length > 0 ? Object.fromEntries(rest) : undefined;
};

interface Workload {
  spec: {
    template: {
      metadata: { annotations?: Tree | undefined };
      spec: { containers: { imagePullPolicy?: string }[]; volumes: { name: string; configMap?: { name: string } }[] };
    };
  };
}

/**
 * An object as it is compared. Everything in which the chart may differ from config/ is said here:
 *
 * - each object has the labels of its release;
 * - kustomize names the ConfigMap by its content; the chart has that content's hash in an annotation of the pods;
 * - the chart says when the image is pulled, which is the API server's default;
 * - kinds are kept when the release is uninstalled;
 * - the configuration is compared as it is understood, and not by its comments.
 */
const comparable = (object: Rendered): unknown => {
  const copy = structuredClone(object) as Rendered & Partial<Workload>;
  const metadata = {
    ...copy.metadata,
    name: copy.metadata.name.replace(/^(knative-eip-config)-[a-z0-9]{10}$/u, '$1'),
    labels: without(copy.metadata.labels, OF_THE_RELEASE),
    annotations: without(copy.metadata.annotations, ['helm.sh/resource-policy']),
  };
  if (copy.kind === 'Deployment' && copy.spec) {
    const { metadata: ofPods, spec } = copy.spec.template;
    ofPods.annotations = without(ofPods.annotations, ['checksum/config']);
    for (const container of spec.containers) delete container.imagePullPolicy;
    for (const { configMap } of spec.volumes) if (configMap) configMap.name = 'knative-eip-config';
  }
  const data = copy['data'] as Record<string, string> | undefined;
  const config = data?.['config.yaml'];
  return { ...copy, metadata, ...(config !== undefined && { data: { 'config.yaml': parse(config) as unknown } }) };
};

/** Objects by their names; the namespace is made by whoever installs the chart. */
const byName = (objects: readonly Rendered[]): Record<string, unknown> =>
  Object.fromEntries(
    objects
      .filter(({ kind }) => kind !== 'Namespace')
      .map((object) => comparable(object) as Rendered)
      .map((object) => [nameOf(object), JSON.parse(JSON.stringify(object))] as const)
      .toSorted(([a], [b]) => a.localeCompare(b, 'en')),
  );

const CONFIG = 'ConfigMap knative-eip-system/knative-eip-config';
const NODE = { vSwitchIDs: ['vsw-bp1xxxxxxxxxxx'], securityGroupID: 'sg-bp1xxxxxxxxxxx' };

/** Sets of values, and the folders of config/ that they stand for. */
const SETS: Readonly<Record<string, { values: object; folders: string[]; config: object }>> = {
  'what is there without any choice': { values: {}, folders: ['config/default'], config: {} },
  'a virtual node': {
    values: { virtualNode: { enabled: true, ...NODE } },
    folders: ['config/virtual-node'],
    config: { virtualNode: { enabled: true, ...NODE } },
  },
  'a certificate of cert-manager': {
    values: { webhook: { certManager: { enabled: true } } },
    folders: ['config/cert-manager'],
    config: { webhook: { enabled: true, certificateDirectory: '/etc/knative-eip-webhook' } },
  },
  'all rights, the API server’s policies and the dashboards': {
    values: {
      virtualNode: {
        enabled: true,
        identity: 'certificateOrServiceAccount',
        imageCaches: true,
        eciProfile: true,
        ...NODE,
      },
      cloudEvents: { journals: true },
      knative: { serviceCondition: true },
      announcement: { through: 'pod' },
      admissionPolicies: { enabled: true },
      dashboards: { enabled: true },
    },
    folders: [
      'config/virtual-node-eci-profile',
      'config/virtual-node-service-account',
      'config/virtual-node-image-caches',
      'config/cloudevents',
      'config/service-condition',
      'config/announce-on-pods',
      'config/admission',
      'dashboards',
    ],
    config: {
      virtualNode: {
        enabled: true,
        identity: 'certificateOrServiceAccount',
        imageCaches: true,
        eciProfile: true,
        ...NODE,
      },
      knative: { serviceCondition: true },
      announcement: { through: 'pod' },
    },
  },
};

for (const [title, { values, folders, config }] of Object.entries(SETS))
  helmTest(titled(`the chart gives what config/ gives, object by object: ${title}`), async (t) => {
    const expected = byName(await kustomized(folders));
    const base = (expected[CONFIG] as { data: { 'config.yaml': object } }).data;
    base['config.yaml'] = { ...base['config.yaml'], ...WHERE, enableRRSA: false, enableVirtualNode: false, ...config };
    const given = byName(await template(values));
    t.deepEqual(
      Object.keys(given),
      Object.keys(expected).toSorted((a, b) => a.localeCompare(b, 'en')),
    );
    for (const [name, object] of Object.entries(expected)) t.deepEqual(given[name], object, name);
  });

helmTest(titled('who may reach which port is as in config/, for the addresses that values have'), async (t) => {
  for (const [folder, virtualNode] of [
    ['config/network-policy', { enabled: false }],
    ['config/network-policy-virtual-node', { enabled: true, ...NODE }],
  ] as const) {
    const expected = byName(await kustomized([folder]));
    const name = 'NetworkPolicy knative-eip-system/knative-eip';
    const policy = expected[name] as { spec: { ingress: { from: object[] }[] } };
    policy.spec.ingress[0]!.from = [{ ipBlock: { cidr: '10.0.0.0/28' } }, { ipBlock: { cidr: '10.1.0.0/28' } }];
    const objects = await template({
      virtualNode,
      networkPolicy: { enabled: true, apiServers: ['10.0.0.0/28', '10.1.0.0/28'] },
    });
    t.deepEqual(byName(objects)[name], policy, folder);
  }
});

helmTest(titled('the ServiceMonitor is that of config/, and nothing is scraped twice'), async (t) => {
  const expected = byName(await kustomized(['config/prometheus']));
  const objects = await template({ serviceMonitor: { enabled: true }, prometheusRules: { enabled: true } });
  const given = byName(objects);
  for (const [name, object] of Object.entries(expected)) t.deepEqual(given[name], object, name);
  t.deepEqual(Object.keys(expected), [
    'PrometheusRule knative-eip-system/knative-eip',
    'ServiceMonitor knative-eip-system/knative-eip',
  ]);
  t.false(JSON.stringify(find(objects, 'Deployment knative-eip-system/knative-eip')).includes('prometheus.io/'));
});

const find = (objects: readonly Rendered[], name: string): Rendered => {
  const found = objects.find((each) => nameOf(each) === name);
  if (!found) throw new Error(`there is no ${name} among ${objects.map(nameOf).join(', ')}`);
  return found;
};

interface Deployed {
  spec: {
    replicas: number;
    template: {
      metadata: { labels: Tree; annotations: Tree };
      spec: {
        containers: {
          image: string;
          env: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; optional?: boolean } } }[];
          ports: { name: string; containerPort: number }[];
        }[];
        [field: string]: unknown;
      };
    };
  };
}

helmTest(titled('values reach the pods, the service accounts and the rights'), async (t) => {
  const choices = {
    nodeSelector: { pool: 'system' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: '',
    topologySpreadConstraints: [{ maxSkew: 2, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
    podLabels: { team: 'net' },
    podAnnotations: { note: 'x' },
    env: [{ name: 'HTTPS_PROXY', value: 'http://proxy:3128' }],
    replicas: 3,
  };
  const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
  const objects = await template({
    ...choices,
    image: { registry: 'registry.example.com/team/', digest, pullSecrets: ['pull'] },
    credential: { existingSecret: 'mine' },
    podDisruptionBudget: { maxUnavailable: '50%' },
    metrics: { address: '0.0.0.0:9000', tls: false },
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '10s' },
    prometheusRules: { enabled: true, runbooksURL: 'https://wiki.example.com/runbooks/' },
    webhook: { failurePolicy: 'Fail' },
    policies: { everybody: { limits: { eips: 3 } } },
    virtualNode: {
      enabled: true,
      nodeName: 'eci',
      ...NODE,
      deployment: { ...choices, replicas: 1, credential: { accessKey: 'ID', accessSecret: 'KEY' } },
    },
  });
  for (const [name, replicas, secret] of [
    ['knative-eip', 3, 'mine'],
    ['knative-eip-virtual-node', 1, 'knative-eip-virtual-node-credentials'],
  ] as const) {
    const { spec } = find(objects, `Deployment knative-eip-system/${name}`) as unknown as Deployed;
    const { metadata, spec: pod } = spec.template;
    t.is(spec.replicas, replicas);
    t.like(pod, {
      nodeSelector: choices.nodeSelector,
      tolerations: choices.tolerations,
      affinity: choices.affinity,
      topologySpreadConstraints: choices.topologySpreadConstraints,
      imagePullSecrets: [{ name: 'pull' }],
    });
    t.is(pod['priorityClassName'], undefined);
    t.like(metadata.labels, { team: 'net', 'app.kubernetes.io/name': name });
    t.like(metadata.annotations, { note: 'x' });
    t.false(Object.keys(metadata.annotations).some((key) => key.startsWith('prometheus.io/')));
    const [container] = pod.containers;
    t.is(container?.image, `registry.example.com/team/knative-eip@${digest}`);
    t.is(container?.env.at(-1)?.value, 'http://proxy:3128');
    // A Secret that is named has to be there; a token need not.
    const references = container?.env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
    t.deepEqual(
      references?.map(({ name, optional }) => [name, optional]),
      [
        [secret, undefined],
        [secret, undefined],
        [secret, true],
      ],
    );
    t.is(container?.ports.find(({ name }) => name === 'metrics')?.containerPort, 9000);
  }
  t.like(find(objects, 'Secret knative-eip-system/knative-eip-virtual-node-credentials'), {
    data: {
      ALIBABA_CLOUD_ACCESS_KEY_ID: Buffer.from('ID').toString('base64'),
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: Buffer.from('KEY').toString('base64'),
    },
  });
  t.like(find(objects, 'PodDisruptionBudget knative-eip-system/knative-eip'), { spec: { maxUnavailable: '50%' } });
  t.like(find(objects, 'ServiceMonitor knative-eip-system/knative-eip'), {
    metadata: { labels: { release: 'prometheus' } },
    spec: { endpoints: [{ scheme: 'http', interval: '10s' }] },
  });
  const rules = JSON.stringify(find(objects, 'PrometheusRule knative-eip-system/knative-eip'));
  t.true(rules.includes('"runbook_url":"https://wiki.example.com/runbooks/KnativeEipNoLeader.md"'));
  const { webhooks } = find(objects, 'ValidatingWebhookConfiguration /knative-eip') as unknown as {
    webhooks: { name: string; failurePolicy: string }[];
  };
  t.deepEqual(
    webhooks.map(({ name, failurePolicy }) => [name.split('.')[0], failurePolicy]),
    [
      ['workloads', 'Fail'],
      ['pods', 'Fail'],
      ['scale', 'Ignore'],
    ],
    'nothing that scales is ever held up',
  );
  const node = objects.filter(({ metadata: { name } }) => name.startsWith('knative-eip-virtual-node'));
  const rights = JSON.stringify(node.filter(({ kind }) => /Role/u.test(kind)));
  t.true(rights.includes('"system:node:eci"'));
  t.false(/"resourceNames":\["knative-eip-virtual-node"\]|system:node:knative/u.test(rights), rights);
  t.like(find(objects, 'EipPolicy /everybody'), { spec: { limits: { eips: 3 } } });
});

helmTest(titled('RRSA annotates the service accounts, and another namespace is written everywhere'), async (t) => {
  const objects = await template({ enableRRSA: true, rrsaRoleName: 'eip' }, '-n', 'kube-system');
  t.like(find(objects, 'ServiceAccount kube-system/knative-eip'), {
    metadata: { annotations: { 'pod-identity.alibabacloud.com/role-name': 'eip' } },
  });
  t.false(JSON.stringify(objects).includes('knative-eip-system'));
});

/** The configuration of the rendered release, as the controller understands it. */
const configOf = (objects: readonly Rendered[], namespace = 'knative-eip-system') => {
  const { data } = find(objects, `ConfigMap ${namespace}/knative-eip-config`) as unknown as {
    data: Record<string, string>;
  };
  return loadConfig({ text: data['config.yaml'] ?? '', env: { POD_NAMESPACE: namespace } }).config;
};

helmTest(
  titled('both ways in which the values of ack-extend-network-controller are spelled mean the same'),
  async (t) => {
    const spellings = [
      { vpcID: 'vpc-1', networkController: { customStatefulWorkloadKinds: ['foo'] } },
      { vpcID: null, networkController: { vpcid: 'vpc-1' }, customStatefulWorkloadKinds: ['foo'], credential: null },
    ];
    const configs = await Promise.all(
      spellings.map(async (each) =>
        configOf(
          await template({
            ...each,
            enableControllers: ['eip'],
            enableVirtualNode: true,
            kubeClientQPS: 50.5,
            kubeClientBurst: 100,
            cloud: { eipQuota: 1_000_000 },
          }),
        ),
      ),
    );
    t.deepEqual(configs[0], configs[1]);
    t.like(configs[0], {
      vpcID: 'vpc-1',
      enableVirtualNode: true,
      kubeClientQPS: 50.5,
      kubeClientBurst: 100,
      networkController: { customStatefulWorkloadKinds: ['foo'] },
      cloud: { eipQuota: 1_000_000 },
    });
  },
);

helmTest(titled('an AccessKey of the values is in a Secret, and not in the configuration'), async (t) => {
  const objects = await template({ credential: { accessKey: 'LTAIxxxx', accessSecret: 'hidden-secret' } });
  const text = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'));
  t.false(text.includes('LTAIxxxx') || text.includes('hidden-secret'));
  t.like(find(objects, 'Secret knative-eip-system/knative-eip-credentials'), {
    data: { ALIBABA_CLOUD_ACCESS_KEY_ID: Buffer.from('LTAIxxxx').toString('base64') },
  });
});

helmTest(titled('every option that a page gives to helm is one that it has'), async (t) => {
  const pages = ['README.md', 'docs/installing.md', 'docs/uninstalling.md', 'charts/knative-eip/README.md'];
  const commands = pages.flatMap((page) => readFileSync(page, 'utf8').match(/\bhelm (?:un)?install .+/gu) ?? []);
  t.true(commands.length >= 5, commands.join('\n'));
  for (const command of commands) {
    const help = (await helm([command.split(' ')[1] ?? '', '--help'])).out;
    for (const [option] of command.matchAll(/ --?[a-z-]+/gu))
      t.true(help.includes(`${option} `) || help.includes(`${option},`), `${command}: no ${option}`);
  }
});

helmTest(titled('the values of the page about installing are all that an installation needs'), async (t) => {
  const [, text = ''] = /```yaml\n(# values.yaml\n[\s\S]*?)```/u.exec(readFileSync('docs/installing.md', 'utf8')) ?? [];
  const values = parse(text) as { image: { registry: string }; rrsaRoleName: string };
  const { code, out, err } = await helm(['template', 'it', CHART], [values]);
  t.is(code, 0, err);
  t.true(out.includes(`image: ${values.image.registry}/knative-eip:`));
  t.true(out.includes(`pod-identity.alibabacloud.com/role-name: ${values.rrsaRoleName}`));
});

helmTest(titled('helm lint --strict has nothing to say'), async (t) => {
  for (const values of [{}, { virtualNode: { enabled: true, ...NODE } }]) {
    const { code, out, err } = await helm(['lint', '--strict', CHART], [WHERE, values]);
    t.is(code, 0, out + err);
    t.regex(out, /1 chart\(s\) linted, 0 chart\(s\) failed/u);
    t.notRegex(out + err, /\[(WARNING|ERROR)\]/u);
  }
});
