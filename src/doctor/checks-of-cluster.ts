import { checkOf, listed, whenAny, type Check } from './check.ts';
import type { DeploymentFact, LeaseFact } from './facts.ts';

/** The oldest that the manifests work with: matchConditions and ValidatingAdmissionPolicy are stable since then. */
const LEAST_MINOR = 30;
/** Leases and certificates are judged by clocks: a controller allows for an hour at certificates, and 5 s at Leases. */
const SKEW_MS = 5_000;
const MINUTE_MS = 60_000;

const minorOf = (version: string): number | undefined => {
  const [, major, minor] = /^v?(\d{1,4})\.(\d{1,4})/u.exec(version) ?? [];
  return major === '1' && minor !== undefined ? Number(minor) : undefined;
};

export const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

/** Whether whoever holds it renews it. One that says no time is nobody's. */
const isHeld = ({ holder, ageMs, durationMs }: LeaseFact): boolean =>
  holder !== '' && ageMs !== undefined && ageMs <= durationMs + SKEW_MS;

const nameOfDeployment = ({ namespace, name }: DeploymentFact): string => `${namespace}/${name}`;
const placeOf = ({ namespace, name }: LeaseFact): string => `${namespace}/${name}`;

/** Cluster and installation. */
export const CLUSTER_CHECKS = {
  'api-server-too-old': checkOf({
    area: 'cluster',
    severity: 'error',
    what: 'The cluster is older than Kubernetes 1.30.',
    mend: 'Upgrade the cluster; see [compatibility](compatibility.md).',
    needs: ['apiServer'],
    find: ({ apiServer: { version } }) => {
      const minor = minorOf(version);
      if (minor === undefined || minor >= LEAST_MINOR) return [];
      return [
        {
          problem: 'this Kubernetes is older than 1.30, and its webhooks know no matchConditions',
          evidence: `API server ${version}`,
          remedy: `upgrade the cluster to 1.${LEAST_MINOR} or newer`,
        },
      ];
    },
  }),
  'api-server-clock-skew': checkOf({
    area: 'cluster',
    severity: 'warning',
    what: 'The clocks of the API server and of the machine on which doctor runs differ by more than a minute.',
    mend: 'Let both follow a time server. In a pod it is the clock of the node.',
    needs: ['apiServer'],
    find: ({ apiServer: { aheadMs = 0 } }, { isInPod }) =>
      Math.abs(aheadMs) <= MINUTE_MS
        ? []
        : [
            {
              problem: `the clock of the API server is ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this ${isInPod ? 'pod’s node' : 'machine'}`,
              evidence: `by ${seconds(Math.abs(aheadMs))}, by the header Date`,
              remedy: 'let both follow a time server (chrony, systemd-timesyncd): certificates and Leases go by them',
            },
          ],
  }),
  'configuration-unreadable': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'The configuration cannot be read, or is refused.',
    mend: 'Correct what the sentence names; `knative-eip config -c FILE` says the same before it is applied.',
    needs: ['configuration'],
    find: ({ configuration }) =>
      configuration?.problem === undefined
        ? []
        : [
            {
              problem: 'the controller cannot start with its configuration',
              evidence: `${configuration.from}: ${configuration.problem}`,
              remedy: 'correct it, check it with knative-eip config -c FILE, and apply it again',
            },
          ],
  }),
  'controller-not-installed': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'There is neither a Deployment of knative-eip nor a Lease that somebody renews.',
    mend: '`kubectl apply -k config/default`; see [installing](installing.md).',
    needs: ['deployments', 'leases'],
    find: ({ deployments, leases }, { namespace }) =>
      deployments.some(({ isVirtualNode }) => !isVirtualNode) || leases.some(isHeld)
        ? []
        : [
            {
              problem: 'knative-eip does not run in this cluster, so that nothing gets an address',
              evidence: `no Deployment with the label app.kubernetes.io/name=knative-eip, and nobody renews a Lease in ${namespace}`,
              remedy:
                'fill in config/manager/config.yaml and run kubectl apply -k config/default, or helm install the chart',
            },
          ],
  }),
  'deployment-not-ready': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'Replicas of a Deployment of knative-eip are not ready; a warning where at least one is.',
    mend: '`kubectl -n knative-eip-system get pods`, `kubectl describe pod` and the log say why.',
    needs: ['deployments'],
    find: ({ deployments }) =>
      deployments
        .filter(({ wanted, ready }) => ready < wanted)
        .map((each) => ({
          severity: each.ready === 0 ? ('error' as const) : ('warning' as const),
          problem: `the Deployment ${nameOfDeployment(each)} is not ready`,
          evidence: `${each.ready} of ${each.wanted} replicas are ready`,
          remedy: `look at kubectl -n ${each.namespace} get pods, at kubectl describe of those that are not Ready, and at their logs`,
        })),
  }),
  'deployment-stopped': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'The Deployment of knative-eip is scaled to zero.',
    mend: '`kubectl -n knative-eip-system scale deployment knative-eip --replicas 2`, unless it is being uninstalled.',
    needs: ['deployments'],
    find: ({ deployments }) =>
      deployments
        .filter(({ wanted, isVirtualNode }) => wanted === 0 && !isVirtualNode)
        .map((each) => ({
          problem: `the Deployment ${nameOfDeployment(each)} is scaled to zero: nothing gets an address or gives one back`,
          evidence: 'spec.replicas is 0',
          remedy: `kubectl -n ${each.namespace} scale deployment ${each.name} --replicas 2, or helm upgrade where Helm owns it`,
        })),
  }),
  'no-leader': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'The Deployment runs, and no replica holds its Lease, so that none works.',
    mend: 'The logs of the replicas say why: rights on the Lease, or the account does not fit.',
    needs: ['configuration', 'deployments', 'leases'],
    find: ({ configuration, deployments, leases }) => {
      const settings = configuration?.settings;
      const running = deployments.find(({ isVirtualNode, wanted }) => !isVirtualNode && wanted > 0);
      if (!running || settings?.hasElection === false) return [];
      const name = settings?.leaseName ?? 'knative-eip';
      const namespace = settings?.leaseNamespace ?? running.namespace;
      const lease = leases.find((each) => each.name === name && each.namespace === namespace);
      if (lease && isHeld(lease)) return [];
      return [
        {
          problem: 'no replica leads, so that none buys, binds or gives back',
          evidence: !lease
            ? `there is no Lease ${namespace}/${name}`
            : lease.ageMs === undefined
              ? `nobody has renewed the Lease ${namespace}/${name}`
              : `the Lease ${namespace}/${name} of ${lease.holder || 'nobody'} was renewed ${seconds(lease.ageMs)} ago; it lasts ${seconds(lease.durationMs)}`,
          remedy: `look at kubectl -n ${namespace} get pods and at the log of each; kubectl auth can-i update leases -n ${namespace} --as system:serviceaccount:${namespace}:knative-eip`,
        },
      ];
    },
  }),
  'two-installations': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'knative-eip leads in two namespaces of one cluster: both would buy for each pod.',
    mend: 'Uninstall one of them: see [uninstalling](uninstalling.md).',
    needs: ['configuration', 'leases'],
    find: ({ configuration, leases }) => {
      const name = configuration?.settings?.leaseName ?? 'knative-eip';
      const held = leases.filter((each) => each.name === name && isHeld(each));
      if (held.length < 2) return [];
      return [
        {
          problem: 'two installations of knative-eip work in this cluster, and each buys an EIP for the same pod',
          evidence: `Leases are held in ${held.map((each) => `${placeOf(each)} by ${each.holder}`).join(' and ')}`,
          remedy: 'scale the Deployment of one of them to 0, and uninstall it as docs/uninstalling.md says',
        },
      ];
    },
  }),
  'crd-missing': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'A CustomResourceDefinition is not installed.',
    mend: '`kubectl apply -k config/crd`; with the chart `helm upgrade` with `crds.enabled: true`.',
    needs: ['definitions'],
    find: ({ definitions }) =>
      whenAny(
        definitions.filter(({ isThere }) => !isThere),
        (missing) => ({
          problem: 'kinds of knative-eip are not installed, and the controller cannot work without them',
          evidence: `no CustomResourceDefinition ${listed(missing.map(({ name }) => name))}`,
          remedy:
            'kubectl apply -k config/crd, of the version of the controller; with the Helm chart: helm upgrade with crds.enabled true',
        }),
      ),
  }),
  'crd-outdated': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'A CustomResourceDefinition is older than the code, or another product’s: the API server drops what it lacks.',
    mend: '`kubectl apply -k config/crd` of the version of the controller. With the chart `helm upgrade`, which upgrades them where `crds.enabled` is true.',
    needs: ['definitions'],
    find: ({ definitions }) =>
      definitions
        .filter(({ isThere, lacking }) => isThere && lacking.length > 0)
        .map(({ name, lacking, isByHelm }) => ({
          problem: `the CustomResourceDefinition ${name} is older than this version, or another product’s`,
          evidence: `it lacks ${listed(lacking)}`,
          remedy: isByHelm
            ? 'helm upgrade with the chart of the version of the controller, and crds.enabled true'
            : `kubectl apply --server-side -k config/crd, of the version of the controller`,
        })),
  }),
  'controller-rights-missing': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'The service account of the controller lacks rights in the cluster.',
    mend: '`kubectl apply -k config/default`, which has the roles; or the folder of `config/` that the feature needs; with the chart `helm upgrade`.',
    needs: ['rights'],
    find: ({ rights }) =>
      whenAny(rights?.missing ?? [], (missing) => ({
        problem: 'the service account of the controller may not do what it has to',
        evidence: `${rights?.user ?? ''} may not ${listed(missing)}`,
        remedy:
          'kubectl apply -k config/rbac (and config/webhook, config/virtual-node where they are used); with the Helm chart: helm upgrade',
      })),
  }),
  'other-controller': checkOf({
    area: 'installation',
    severity: 'error',
    what: 'Another controller makes EIPs for the same annotations: ack-extend-network-controller, or the EIP pool of Terway, also in a process of Terway that was not restarted since the pool was switched off.',
    mend: 'Uninstall it, or turn its EIP part off, or restart Terway: see [moving from another controller](migrating.md).',
    needs: ['configuration', 'otherControllers'],
    find: ({ configuration, otherControllers }) =>
      whenAny(otherControllers, (names) => ({
        severity: configuration?.settings?.takesOthersForGranted ? 'warning' : 'error',
        problem: 'another controller in this cluster makes EIPs for the same annotations',
        evidence: `${listed(names)}; otherEipControllers is ${configuration?.settings?.takesOthersForGranted ? 'ignore' : 'refuse, so that no new request is served'}`,
        remedy:
          'uninstall it, or turn its EIP part off; restart Terway if its EIP pool was switched off (kubectl -n kube-system rollout restart daemonset -l app=terway-eniip, or app=terway-eni); docs/runbooks/KnativeEipOtherController.md says more, also of a Terway that cannot be restarted, and docs/migrating.md how to move',
      })),
  }),
} as const satisfies Readonly<Record<string, Check>>;
