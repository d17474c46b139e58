import test from 'ava';
import { loadConfig } from '../../src/config/load.ts';
import { DRAIN_MS } from '../../src/manager/shutdown.ts';
import { built, find } from './built-manifests.ts';

interface DeploymentSpec {
  replicas: number;
  strategy: { rollingUpdate: object };
  selector: { matchLabels: object };
  template: {
    metadata: { labels: object };
    spec: {
      priorityClassName: string;
      terminationGracePeriodSeconds: number;
      topologySpreadConstraints: object[];
      containers: { lifecycle?: { preStop?: { sleep?: { seconds: number } } } }[];
    };
  };
}

/** What the recorder gets to write the last Events; see shutdown.ts. */
const EVENTS_S = 0.5;

for (const [name, folder] of [
  ['knative-eip', 'default'],
  ['knative-eip-virtual-node', 'virtual-node'],
] as const)
  test(`a node that is drained, a zone that fails and a roll-out leave a replica of ${name}`, async (t) => {
    const manifests = await built(folder);
    const { spec } = find(manifests, 'Deployment', name) as unknown as { spec: DeploymentSpec };
    const { template, selector } = spec;
    t.is(spec.replicas, 2);
    t.deepEqual(selector.matchLabels, template.metadata.labels);
    t.deepEqual(spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
    t.deepEqual(find(manifests, 'PodDisruptionBudget', name).spec, {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: template.metadata.labels },
    });
    t.deepEqual(
      template.spec.topologySpreadConstraints,
      ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
        maxSkew: 1,
        topologyKey,
        // In a cluster of one node or one zone, both run all the same.
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: template.metadata.labels },
      })),
    );
    t.is(template.spec.priorityClassName, 'system-cluster-critical');
  });

test('what a replica does before it ends fits into its grace period, so that its Lease is given back', async (t) => {
  const { leaderElection } = loadConfig({ text: 'clusterID: c\nregionID: cn-x\nvpcID: vpc-1\n', env: {} }).config;
  const endS = DRAIN_MS / 1_000 + EVENTS_S + leaderElection.renewDeadlineSeconds / 2;
  const manifests = await built('virtual-node');
  for (const [name, sleeps] of [
    // Webhooks are asked until every node knows that the endpoint is gone.
    ['knative-eip', [5]],
    ['knative-eip-virtual-node', []],
  ] as const) {
    const { spec } = find(manifests, 'Deployment', name) as unknown as { spec: DeploymentSpec };
    const { containers, terminationGracePeriodSeconds } = spec.template.spec;
    const seconds = containers.flatMap(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? []);
    t.deepEqual(seconds, sleeps, name);
    // Twice as long: a node that is drained is busy.
    t.true(2 * (endS + (seconds[0] ?? 0)) <= terminationGracePeriodSeconds, `${name}: ${endS} s`);
  }
});
