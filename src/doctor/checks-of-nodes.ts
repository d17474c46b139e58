import { checkOf, listed, whenAny, type Check } from './check.ts';
import { seconds } from './checks-of-cluster.ts';
import type { NodeRequestFact } from './facts.ts';

/** As the node-lifecycle controller has it: a Node whose Lease is older is dead, and its pods are evicted. */
const BEAT_MS = 40_000;
const NEARLY_FULL = 0.9;
/** It is renewed after two thirds of its 30 days. */
const CERTIFICATE_SOON_MS = 5 * 86_400_000;

/** docs/compatibility.md. */
export const TESTED_KNATIVE: { readonly from: string; readonly to: string } = { from: '1.23', to: '1.23' };

const minorOf = (version: string): string | undefined => /^v?(\d{1,4}\.\d{1,4})(?:\.|$|-)/u.exec(version)?.[1];

const rank = (minor: string): number => {
  const [major = 0, least = 0] = minor.split('.').map(Number);
  return major * 10_000 + least;
};

/** By these a Knative Service gets to a virtual node where no webhook prepares its pods. */
const PLACING = ['kubernetes.podspec-nodeselector', 'kubernetes.podspec-tolerations'];

const sayRequest = ({ name, user, signer }: NodeRequestFact): string => `${name} (of ${user}, to ${signer})`;

export const NODE_CHECKS = {
  'virtual-node-missing': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: '`virtualNode.enabled` is true, and there is no Node of ours with the name.',
    mend: 'The log of the process says why it is not registered: rights (`config/virtual-node`), the certificate, or another machine of that name.',
    needs: ['configuration', 'virtualNode'],
    find: ({ configuration, virtualNode }) => {
      const settings = configuration?.settings;
      if (!settings?.hasVirtualNode || !virtualNode || virtualNode.standing === 'ours') return [];
      const isTaken = virtualNode.standing === 'another';
      return [
        {
          problem: isTaken ? 'another machine has the name of the virtual node' : 'the virtual node is not registered',
          evidence: isTaken
            ? `Node ${settings.nodeName} does not have the label of ours`
            : `there is no Node ${settings.nodeName}`,
          remedy: isTaken
            ? 'write another virtualNode.nodeName'
            : 'apply config/virtual-node (the chart: virtualNode.enabled true), approve its certificate (docs/virtual-node.md), and look at the log of the process',
        },
      ];
    },
  }),
  'virtual-node-silent': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: 'The virtual node is not Ready, or its Lease in kube-node-lease is older than 40 seconds.',
    mend: 'Nobody runs it, or its identity is refused: see the log of the process, and the condition `…/node-certificate` of the Node.',
    needs: ['virtualNode'],
    find: ({ virtualNode: node }) => {
      if (node?.standing !== 'ours') return [];
      const isLate = node.beatAgeMs === undefined || node.beatAgeMs > BEAT_MS;
      if (node.isReady && !isLate) return [];
      const beat =
        node.beatAgeMs === undefined ? 'there is no Lease' : `its Lease was renewed ${seconds(node.beatAgeMs)} ago`;
      return [
        {
          problem: 'nobody keeps the virtual node alive: its pods are evicted, and no new ones are taken',
          evidence: `Ready is ${node.isReady ? 'True' : 'not True'}, ${beat}`,
          remedy:
            'look at the process that runs it (Deployment knative-eip-virtual-node, or knative-eip) and at its log',
        },
      ];
    },
  }),
  'virtual-node-version': checkOf({
    area: 'virtual node',
    severity: 'warning',
    what: 'The version that the virtual node shows has another minor version than the API server: it was not restarted since the cluster was upgraded.',
    mend: '`kubectl rollout restart` of the Deployment that runs it.',
    needs: ['apiServer', 'virtualNode'],
    find: ({ apiServer, virtualNode }) => {
      if (virtualNode?.standing !== 'ours') return [];
      const [its, server] = [minorOf(virtualNode.version), minorOf(apiServer.version)];
      if (its === undefined || server === undefined || its === server || its === '0.0') return [];
      return [
        {
          problem: 'the virtual node shows the version of an API server that there is not any more',
          evidence: `Node ${virtualNode.version}, API server ${apiServer.version}`,
          remedy: 'kubectl rollout restart the Deployment that runs the virtual node',
        },
      ];
    },
  }),
  'virtual-node-full': checkOf({
    area: 'virtual node',
    severity: 'warning',
    what: 'Nine tenths of the pods that the virtual node may have are there.',
    mend: 'A higher `virtualNode.capacity.pods`, if the quota of the account allows it.',
    needs: ['virtualNode'],
    find: ({ virtualNode: node }) =>
      node?.standing !== 'ours' || node.podCapacity === 0 || node.pods < node.podCapacity * NEARLY_FULL
        ? []
        : [
            {
              severity: node.pods >= node.podCapacity ? ('error' as const) : ('warning' as const),
              problem: 'the virtual node is nearly full, and the scheduler puts no more pods on it then',
              evidence: `${node.pods} of ${node.podCapacity} pods`,
              remedy: 'write a higher virtualNode.capacity.pods, and compare it with the quota of ECI',
            },
          ],
  }),
  'node-certificate-not-approved': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: 'The certificate of the virtual node was asked for, and nobody has approved it. A warning where somebody else than the virtual node has asked under its name, or for a certificate that is none of a kubelet.',
    mend: '`kubectl certificate approve NAME` for a request of the virtual node: see [approve its certificate](virtual-node.md#whose-rights-it-has). Never approve another: whoever made it would be the Node; ask who they are, and deny it.',
    needs: ['nodeRequests', 'virtualNode'],
    find: ({ nodeRequests, virtualNode }) => [
      ...whenAny(
        nodeRequests.filter(({ isGenuine }) => isGenuine),
        (requests) => ({
          problem: 'the virtual node waits until somebody approves its certificate',
          evidence: `CertificateSigningRequest ${listed(requests.map(sayRequest))} is pending${virtualNode?.certificateProblem === undefined ? '' : `: ${virtualNode.certificateProblem}`}`,
          remedy: `look at it, and run kubectl certificate approve ${requests[0]?.name ?? ''}`,
        }),
      ),
      ...whenAny(
        nodeRequests.filter(({ isGenuine }) => !isGenuine),
        (requests) => ({
          severity: 'warning' as const,
          problem: 'somebody else than the virtual node has asked for a certificate under its name',
          evidence: `CertificateSigningRequest ${listed(requests.map(sayRequest))}`,
          remedy: `do not approve it; ask who that is, and run kubectl certificate deny ${requests[0]?.name ?? ''}`,
        }),
      ),
    ],
  }),
  'node-certificate-ends': checkOf({
    area: 'virtual node',
    severity: 'warning',
    what: 'The client certificate of the virtual node ends within five days, or has ended (an error).',
    mend: 'It asks for the next one in time; look for a request that nobody approves, and at its log.',
    needs: ['nodeCertificate'],
    find: ({ nodeCertificate: until }, { at }) =>
      until === undefined || until - at > CERTIFICATE_SOON_MS
        ? []
        : [
            {
              severity: until <= at ? ('error' as const) : ('warning' as const),
              problem: `the client certificate of the virtual node ${until <= at ? 'has ended' : 'ends soon, and there is no newer one'}`,
              evidence: `it is valid until ${new Date(until).toISOString()}`,
              remedy: 'look for its CertificateSigningRequest, approve it, and look at the log of the process',
            },
          ],
  }),
  'image-cache-crd-missing': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: '`virtualNode.imageCaches` is true, and the kind ImageCache is not installed.',
    mend: '`kubectl apply -k config/virtual-node-image-caches`; with the chart `helm upgrade` with `crds.enabled: true`.',
    needs: ['imageCaches'],
    find: ({ imageCaches }) =>
      imageCaches?.isServed !== false
        ? []
        : [
            {
              problem: 'the virtual node is to make image caches, and nobody can write an ImageCache',
              evidence: 'no CustomResourceDefinition imagecaches.eci.alibabacloud.com with the version v1',
              remedy:
                'kubectl apply -k config/virtual-node-image-caches (the chart: helm upgrade with crds.enabled true), or set virtualNode.imageCaches: false',
            },
          ],
  }),
  'image-cache-rights-missing': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: '`virtualNode.imageCaches` is true, and whoever runs the virtual node may not see or write ImageCaches.',
    mend: '`kubectl apply -k config/virtual-node-image-caches`; with the chart `helm upgrade`.',
    needs: ['imageCaches'],
    find: ({ imageCaches }) =>
      // The folder that brings the kind brings the rights, too.
      imageCaches?.isServed === false
        ? []
        : whenAny(imageCaches?.rights?.missing ?? [], (missing) => ({
            problem: 'no image cache is made or deleted: whoever runs the virtual node may not do what it takes',
            evidence: `${imageCaches?.rights?.user ?? ''} may not ${listed(missing)} in eci.alibabacloud.com`,
            remedy:
              'kubectl apply -k config/virtual-node-image-caches, whose binding names that service account (the chart: helm upgrade)',
          })),
  }),
  'image-cache-of-another': checkOf({
    area: 'virtual node',
    severity: 'warning',
    what: 'Another controller, such as ack-virtual-node, has made the cache of an ImageCache: it is left alone. While that controller is there, both make one for each new object.',
    mend: 'Uninstall the other one, or set `virtualNode.imageCaches: false`; see [image caches](virtual-node.md#image-caches).',
    needs: ['imageCaches'],
    find: ({ imageCaches }) =>
      whenAny(imageCaches?.ofOthers ?? [], (names) => ({
        problem: 'another controller makes image caches in this cluster, or has, and nobody here deletes those',
        evidence: `ImageCache ${listed(names)} has a cache, and not the finalizer of knative-eip`,
        remedy:
          'if ack-virtual-node is there, uninstall it, or set virtualNode.imageCaches: false; if it is gone, delete the objects and their caches, and create the objects again',
      })),
  }),
  'add-on-beside': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: 'ACK’s ECI add-on runs virtual nodes, and `virtualNode.enabled` is true: both would take pods that ask for ECI.',
    mend: 'Uninstall ack-virtual-node, or set `virtualNode.enabled: false`.',
    needs: ['configuration', 'addOnNodes'],
    find: ({ configuration, addOnNodes }) =>
      configuration?.settings?.hasVirtualNode !== true
        ? []
        : whenAny(addOnNodes, (names) => ({
            problem:
              'the ECI add-on and our virtual node are in one cluster, and pods that ask for ECI may get to either',
            evidence: `Node ${listed(names)} belongs to ack-virtual-node`,
            remedy: 'uninstall ack-virtual-node, or set virtualNode.enabled: false',
          })),
  }),
  'add-on-unserved': checkOf({
    area: 'virtual node',
    severity: 'info',
    what: 'ACK’s ECI add-on runs virtual nodes, and there are no webhooks that write annotations in the spelling that it reads.',
    mend: '`kubectl apply -k config/webhook`, or write its spellings: see [who makes the address](who-makes-the-address.md).',
    needs: ['addOnNodes', 'webhooks', 'configuration'],
    find: ({ configuration, addOnNodes, webhooks }) =>
      configuration?.settings?.hasVirtualNode === true || webhooks.length > 0
        ? []
        : whenAny(addOnNodes, (names) => ({
            problem: 'the ECI add-on reads its own spellings only, and without the webhooks nobody writes them on pods',
            evidence: `Node ${listed(names)}; no webhook configuration`,
            remedy:
              'write the spellings k8s.aliyun.com/eci-with-eip and k8s.aliyun.com/eip-bandwidth, or apply config/webhook',
          })),
  }),
  'eci-profile-broken': checkOf({
    area: 'virtual node',
    severity: 'error',
    what: 'The selectors of the ConfigMap `kube-system/eci-profile` cannot be used: those before hold, or none in a process that has started since.',
    mend: 'Write what the evidence says; the Event `EciProfileRead` says that it is right. See [eci-profile](virtual-node.md#eci-profile).',
    needs: ['configuration', 'eciProfile'],
    find: ({ configuration, eciProfile }) =>
      configuration?.settings?.honoursProfile !== true
        ? []
        : whenAny(eciProfile?.problems ?? [], (problems) => ({
            problem: 'the selectors of the ConfigMap kube-system/eci-profile cannot be used',
            evidence: listed(problems),
            remedy: 'kubectl -n kube-system edit configmap eci-profile, and write what is said here',
          })),
  }),
  'eci-profile-ignored': checkOf({
    area: 'virtual node',
    severity: 'warning',
    what: 'The ConfigMap `kube-system/eci-profile` of ACK’s ECI add-on has selectors, and our virtual node does not apply them.',
    mend: 'Set `virtualNode.eciProfile: true` and apply `config/virtual-node-eci-profile`, or empty `selectors`.',
    needs: ['configuration', 'eciProfile'],
    find: ({ configuration, eciProfile }) => {
      if (configuration?.settings?.honoursProfile !== false || !eciProfile) return [];
      if (eciProfile.selectors + eciProfile.problems.length === 0) return [];
      return [
        {
          problem: 'nobody applies the selectors of the ConfigMap kube-system/eci-profile to pods',
          evidence: `virtualNode.eciProfile is false, and it has ${eciProfile.selectors || 'broken'} selectors`,
          remedy: 'set virtualNode.eciProfile: true and apply config/virtual-node-eci-profile, or empty its selectors',
        },
      ];
    },
  }),
  'eci-profile-differs': checkOf({
    area: 'virtual node',
    severity: 'info',
    what: 'Keys for the whole cluster of the ConfigMap `kube-system/eci-profile` say something else than our configuration, which alone holds.',
    mend: 'Write the same in both, or leave the key in the ConfigMap out. See [which key is which](virtual-node.md#eci-profile).',
    needs: ['configuration', 'eciProfile'],
    find: ({ configuration, eciProfile }) =>
      configuration?.settings?.honoursProfile !== true
        ? []
        : whenAny(eciProfile?.differences ?? [], (differences) => ({
            problem: 'the ConfigMap kube-system/eci-profile says something else than our configuration',
            evidence: listed(differences),
            remedy: 'write the same in both, or leave the key in the ConfigMap out',
          })),
  }),
  'knative-untested': checkOf({
    area: 'Knative',
    severity: 'warning',
    what: 'This version of Knative Serving is not the one that was tried.',
    mend: 'See [compatibility](compatibility.md): it mostly works; tell us if it does not.',
    needs: ['knative'],
    find: ({ knative }) => {
      const minor = minorOf(knative?.version ?? '');
      if (minor === undefined) return [];
      if (rank(minor) >= rank(TESTED_KNATIVE.from) && rank(minor) <= rank(TESTED_KNATIVE.to)) return [];
      const { from, to } = TESTED_KNATIVE;
      return [
        {
          problem: 'nobody has tried knative-eip with this version of Knative Serving',
          evidence: `Knative Serving ${knative?.version ?? ''}; tried: ${from === to ? from : `${from} to ${to}`}`,
          remedy: 'try it outside of production first, or use the version of docs/compatibility.md',
        },
      ];
    },
  }),
  'knative-feature-off': checkOf({
    area: 'Knative',
    severity: 'warning',
    what: 'There is a virtual node and no webhook that sends pods to it, and Knative’s feature flags `kubernetes.podspec-nodeselector` and `kubernetes.podspec-tolerations` are off: no Knative Service gets there.',
    mend: 'Set `webhook.enabled: true`, with which the label `alibabacloud.com/eci: "true"` is enough; or both flags to `enabled` in the ConfigMap `config-features` of knative-serving.',
    needs: ['configuration', 'knative'],
    find: ({ configuration, knative }) => {
      const settings = configuration?.settings;
      if (!knative || !settings?.hasVirtualNode || settings.hasWebhooks) return [];
      return whenAny(
        PLACING.filter((flag) => knative.features[flag]?.toLowerCase() !== 'enabled'),
        (off) => ({
          problem: 'no Knative Service can be sent to the virtual node',
          evidence: `webhook.enabled is false, and of config-features ${off.map((flag) => `${flag} is ${knative.features[flag] ?? 'disabled'}`).join(', ')}`,
          remedy: 'set webhook.enabled: true, or both flags to enabled in ConfigMap config-features of knative-serving',
        }),
      );
    },
  }),
} as const satisfies Readonly<Record<string, Check>>;
