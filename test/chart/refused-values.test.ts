import test from 'ava';
import { CHART, helm, HOW_TO_GET_HELM, isHelmAvailable, WHERE } from './helm.ts';

/** Values that cannot be used, and what is said of them: all of it at once. */
const REFUSED: readonly { readonly values: object; readonly said: readonly RegExp[] }[] = [
  {
    values: { clusterID: '', regionID: null, vpcID: '', credential: { accessKey: 'x' }, replicas: 0 },
    said: [
      /clusterID is empty: write it/u,
      /regionID is empty: write it, such as cn-hangzhou/u,
      /vpcID is empty: write it/u,
      /an AccessKey has two halves.*write credential\.accessKey and credential\.accessSecret/u,
      /replicas is 0:.*kubectl -n knative-eip-system scale/u,
    ],
  },
  {
    values: {
      networkController: { vpcid: 'vpc-other', customStatefulWorkloadKinds: ['a'] },
      customStatefulWorkloadKinds: ['b'],
      enableRRSA: true,
      enableVirtualNode: true,
      credential: { existingSecret: 'mine', accessKey: 'LTAIx', accessSecret: 'secret' },
      virtualNode: { enabled: true },
      webhook: { enabled: false, certManager: { enabled: true }, serviceName: 'other' },
      networkPolicy: { enabled: true },
      leaderElection: { namespace: 'other' },
      podLabels: { 'app.kubernetes.io/name': 'other' },
    },
    said: [
      /vpcID and networkController\.vpcid .*vpc-bp1rkq0zxxxxxx, vpc-other.*keep one/u,
      /customStatefulWorkloadKinds and networkController\.customStatefulWorkloadKinds/u,
      /credential\.existingSecret and credential\.accessKey are two ways/u,
      /enableRRSA and credential are two ways to sign in/u,
      /virtualNode\.vSwitchIDs is empty/u,
      /virtualNode\.securityGroupID is empty/u,
      /enableVirtualNode is for pods on the virtual nodes of ack-virtual-node/u,
      /the virtual node signs in by itself.*virtualNode\.deployment\.credential/u,
      /webhook\.certManager\.enabled/u,
      /networkPolicy\.apiServers is empty/u,
      /leaderElection\.namespace is other, but .* knative-eip-system: take the key away/u,
      /webhook\.serviceName is other/u,
      /podLabels has app\.kubernetes\.io\/name/u,
    ],
  },
  {
    values: { rrsaRoleName: 'eip', credential: { securityToken: 'x' } },
    said: [/rrsaRoleName names a role, but enableRRSA is false/u, /credential\.securityToken means nothing without/u],
  },
  {
    values: {
      replicas: 1,
      leaderElection: { enabled: false },
      health: { address: '127.0.0.1:8081' },
      webhook: { certificateDirectory: '/tls' },
    },
    said: [
      /leaderElection\.enabled is false, replicas is 1, .*Recreate.*take the key away/u,
      /health\.address is 127\.0\.0\.1:8081, .*write ":8081"/u,
      /webhook\.certificateDirectory is \/tls, .*set webhook\.certManager\.enabled to true/u,
    ],
  },
  { values: { health: { address: '[::1]:8081' } }, said: [/health\.address is \[::1\]:8081/u] },
  { values: { image: null, webhook: null }, said: [/missing properties .*image.*webhook/u] },
  { values: { image: { repo: 'x' }, enableControllers: ['route'] }, said: [/image.*repo/su, /enableControllers/u] },
];

const title = 'values that contradict each other are refused, all at once, with what to write';
(isHelmAvailable ? test : test.skip)(isHelmAvailable ? title : `${title} (${HOW_TO_GET_HELM})`, async (t) => {
  for (const { values, said } of REFUSED) {
    const { code, out, err } = await helm(
      ['template', 'knative-eip', CHART, '-n', 'knative-eip-system'],
      [WHERE, values],
    );
    t.not(code, 0);
    t.is(out, '');
    for (const sentence of said) t.regex(err, sentence);
  }
});
