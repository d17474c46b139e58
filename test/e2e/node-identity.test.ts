import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { NODE_CERTIFICATE } from '../../src/api/annotations.ts';
import { CERTIFICATE_SIGNING_REQUEST, KUBELET_SIGNERS, nodeUser } from '../../src/api/csr.ts';
import { CONFIG_MAP, NODE, POD, SECRET } from '../../src/api/core.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { EIP_POLICY } from '../../src/api/eippolicy.ts';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../../src/api/persistent-volumes.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import { LEASE } from '../../src/kube/lease.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { inSecret } from '../../src/virtualnode/identity-secret.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { nodeScoped } from '../../src/virtualnode/node-scoped.ts';
import { makeKey, requestName, signingRequest } from '../../src/virtualnode/signing-request.ts';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { nodeAuthority } from '../kube-api/node-authority.ts';
import { HOW_TO_GET_ONE, startControlPlane } from '../kube-api/real.ts';
import { definitionOf } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { rights } from '../config/roles.ts';
import { auditedOf, isBy, nameAll } from './audit.ts';
import { playImageCache } from './image-cache-story.ts';
import { actAsProduct, HOME } from './rights.ts';
import { isRealAvailable, setStage, VIRTUAL_NODE_NAME, VIRTUAL_NODE_SETTINGS } from './stage.ts';

/*
 * The virtual node in a process of its own, with the rights that config/virtual-node gives it, on a control plane as
 * kubeadm sets one up: the Node authorizer, NodeRestriction, a controller manager that signs certificates, and API
 * servers that check those of kubelets.
 */

const run = promisify(execFile);
const IDENTITY = { namespace: HOME, name: 'knative-eip-virtual-node-identity' };
const NAMESPACE = 'default';
/**
 * Used on the embedded API: for an instance of a former node (test/virtualnode/orphans.test.ts), and a repeated Event.
 * On a slow machine here, too.
 */
const USED_ELSEWHERE = new Set(['config/virtual-node: pods list', 'config/virtual-node: events.events.k8s.io patch']);
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** What a request comes to: `ok`, or the kind of the fault. */
const outcome = async (asked: Promise<unknown>): Promise<string> => {
  try {
    await asked;
    return 'ok';
  } catch (error) {
    if (error instanceof KubeFault) return error.kind;
    throw error;
  }
};

const tokenOf = (transport: KubeTransport, namespace: string, name: string, boundObjectRef?: object) =>
  transport({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    contentType: 'application/json',
    body: JSON.stringify({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 600, boundObjectRef },
    }),
  });

const podThatRefers = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    nodeName: VIRTUAL_NODE_NAME,
    serviceAccountName: 'default',
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'nginx',
        envFrom: [{ secretRef: { name: 'own' } }, { configMapRef: { name: 'own' } }],
        volumeMounts: [{ name: 'token', mountPath: '/var/run/token' }],
      },
    ],
    volumes: [
      { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
      { name: 'share', persistentVolumeClaim: { claimName: 'own' } },
    ],
  },
});

/** A claim of the volume of its name, which an administrator makes. */
const claimNamed = (name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    volumeName: name,
    storageClassName: '',
    accessModes: ['ReadWriteMany'],
    resources: { requests: { storage: '1Gi' } },
  },
});
const volumeNamed = (name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteMany'],
    csi: {
      driver: 'nasplugin.csi.alibabacloud.com',
      volumeHandle: name,
      volumeAttributes: { server: 'x.cn-hangzhou.nas.aliyuncs.com', path: `/${name}` },
    },
  },
});

/** The requests that wait for an administrator, as they are known by their signer. */
const pendingOf = async (kube: Kube, signer: { readonly signerName: string }) =>
  (await kube.list(CERTIFICATE_SIGNING_REQUEST)).filter(
    ({ spec, status }) => spec.signerName === signer.signerName && !status?.conditions,
  );

const startNode = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-identity-'));
  const { authority, apiServer } = await nodeAuthority(folder);
  const auditLog = join(folder, 'audit.log');
  const plane = await startControlPlane({
    controllers: true,
    nodeAuthority: authority,
    kubeletClient: apiServer,
    auditLog,
  });
  if (!plane) throw new Error(HOW_TO_GET_ONE);
  t.teardown(plane.stop);
  t.teardown(() => rm(folder, { recursive: true }));
  const api = { path: plane.kubeconfig, stop: plane.stop, deployments: false, schedules: false };
  const stage = await setStage('real', { api, startMs: 500 });
  t.teardown(stage.close);
  const { kube } = stage;
  for (const [name, data] of Object.entries({ own: 'OWN', other: 'BOBSECRET' })) {
    const metadata = { name, namespace: NAMESPACE };
    await kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata, data: { SECRET_VALUE: base64(data) } });
    await kube.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { MAP_VALUE: data } });
    await kube.create(PERSISTENT_VOLUME_CLAIM, claimNamed(name));
  }
  const settings = {
    virtualNode: {
      ...VIRTUAL_NODE_SETTINGS.virtualNode,
      identity: 'certificate',
      imageCaches: true,
      kubelet: {
        address: `127.0.0.1:${await freePort()}`,
        advertiseAddress: '127.0.0.1',
        clientCAFile: authority.certificate,
        requestCertificate: true,
      },
    },
  };
  const kubectl = async (...words: readonly string[]) => {
    const { stdout } = await run('kubectl', ['--kubeconfig', plane.kubeconfig, ...words]);
    return stdout.trim();
  };
  /** The product's service account, or whoever has stolen its token. */
  const as = async (account: string) => {
    const path = join(folder, `kubeconfig-${account}`);
    await actAsProduct(plane.kubeconfig, path, stage.transport, account);
    const connection = await connect({ kubeconfigPath: path });
    t.teardown(() => connection.close());
    return { ...connection, kube: createKube({ transport: connection.calls, clock }) };
  };
  await kubectl('apply', '-k', 'config/virtual-node-image-caches');
  return { stage, kube, settings, kubectl, as, auditLog, folder };
};

const title =
  'the virtual node has an identity of its own, which reads what its pods refer to and nothing else, and a certificate that API servers check';
const declare = isRealAvailable() ? test : test.skip;
declare(isRealAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  const { stage, kube, settings, kubectl, as, auditLog, folder } = await startNode(t);
  const controller = await stage.startController(settings, 'eip');
  const node = await stage.startController(settings, 'virtual-node');

  // Nothing is run before somebody has approved the certificate, and that is said.
  const [waiting] = await until(
    'a certificate was asked for',
    () => pendingOf(kube, KUBELET_SIGNERS.client),
    (all) => all.length === 1,
  );
  const request = waiting!.metadata.name;
  t.is(waiting!.spec.username, `system:serviceaccount:${HOME}:knative-eip-virtual-node`);
  await until('the log says what to do', node.output, (text) =>
    text.includes(`kubectl certificate approve ${request}`),
  );
  t.is(await kube.get(NODE, { name: VIRTUAL_NODE_NAME }), undefined);
  await until(
    'so does an Event of the request',
    () => kubectl('get', 'events', '-A', '-o', 'jsonpath={.items[*].note} {.items[*].message}'),
    (text) => text.includes(`kubectl certificate approve ${request}`),
  );

  // H3: whoever has the token of the service account reads no Secret, is no service account, and becomes no node.
  const attacks = async (account: string): Promise<Record<string, string | number>> => {
    const thief = await as(account);
    const key = await makeKey();
    const subject = { nodeName: 'victim', addresses: [] };
    const { signerName, usages } = KUBELET_SIGNERS.client;
    const csr = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: requestName(key, signerName, subject) },
      spec: { request: base64(await signingRequest(key, subject)), signerName, usages },
    };
    return {
      secret: await outcome(thief.kube.get(SECRET, { namespace: NAMESPACE, name: 'other' })),
      configMap: await outcome(thief.kube.get(CONFIG_MAP, { namespace: NAMESPACE, name: 'other' })),
      token: (await tokenOf(thief.calls, 'kube-system', 'default')).status,
      pod: await outcome(thief.kube.delete(POD, { namespace: NAMESPACE, name: 'any' }, { uid: 'u' })),
      node: await outcome(thief.kube.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'mine' } })),
      certificate: await outcome(thief.kube.create(CERTIFICATE_SIGNING_REQUEST, csr)),
    };
  };
  const nothing = { secret: 'forbidden', configMap: 'forbidden', token: 403, pod: 'forbidden', node: 'forbidden' };
  t.deepEqual(await attacks('knative-eip-virtual-node'), { ...nothing, certificate: 'ok' });
  t.deepEqual(await attacks('knative-eip'), { ...nothing, certificate: 'forbidden' }, 'nor does the controller');

  await kubectl('certificate', 'approve', request);
  await stage.virtualNodeIsReady();
  const known = await until(
    'the Node says as whom it works',
    () => kube.get(VIRTUAL_NODE, { name: VIRTUAL_NODE_NAME }),
    (it) =>
      it?.status?.conditions?.some(({ type, status }) => type === NODE_CERTIFICATE && status === 'True') === true &&
      it.metadata.labels?.['kubernetes.io/role'] === 'agent',
  );
  t.regex(
    known?.status?.conditions?.find(({ type }) => type === NODE_CERTIFICATE)?.message ?? '',
    /system:node:knative-eip-virtual-node, until 20/,
  );

  // A pod with everything that it may refer to, and with an EIP that the other process makes.
  const body = podThatRefers('refers');
  const annotations = { 'k8s.aliyun.com/eci-with-eip': 'true' };
  await kube.create(WORKLOAD_POD, { ...body, metadata: { ...body.metadata, annotations } });
  await until(
    'the pod waits for its claim, and says so',
    () => kube.get(WORKLOAD_POD, { namespace: NAMESPACE, name: 'refers' }),
    (it) => it?.status?.message?.includes('PersistentVolumeClaim own is Pending, and not bound') === true,
  );
  await until(
    'so does an Event',
    () => kubectl('-n', NAMESPACE, 'events', '--for', 'pod/refers'),
    (text) => /ReferencesMissing.*PersistentVolumeClaim own is Pending/.test(text),
  );
  t.deepEqual(stage.cloud.containerGroups(), []);
  for (const name of ['own', 'other']) await kube.create(PERSISTENT_VOLUME, volumeNamed(name));
  const running = await until(
    'the pod runs and has its address',
    () => kube.get(WORKLOAD_POD, { namespace: NAMESPACE, name: 'refers' }),
    (it) =>
      it?.status?.phase === 'Running' && it.metadata.annotations?.['k8s.aliyun.com/allocated-eipAddress'] !== undefined,
  );
  const [group, ...others] = stage.cloud.containerGroups();
  t.deepEqual(others, [], 'all that it refers to could be read');
  const share = group?.volumes?.find(({ name }) => name === 'share');
  t.is(share?.driver, 'alicloud/nas');
  t.deepEqual(JSON.parse(share?.options ?? ''), { server: 'x.cn-hangzhou.nas.aliyuncs.com', path: '/own' });

  // What the node's own credential can do, also in the hands of a thief: read what its pods refer to.
  const { current } = await inSecret(kube, IDENTITY).read(new AbortController().signal);
  const identity = (await as('knative-eip-virtual-node')).as(() => current!);
  t.teardown(() => identity.close());
  const asNode = createKube({ transport: identity.calls, clock });
  const read = (kind: Resource<KubeObject>, name: string) =>
    outcome(asNode.get(kind, { ...(kind.namespaced && { namespace: NAMESPACE }), name }));
  t.deepEqual(
    [
      await read(SECRET, 'own'),
      await read(SECRET, 'other'),
      await read(CONFIG_MAP, 'own'),
      await read(CONFIG_MAP, 'other'),
      await read(PERSISTENT_VOLUME_CLAIM, 'own'),
      await read(PERSISTENT_VOLUME_CLAIM, 'other'),
      await read(PERSISTENT_VOLUME, 'own'),
      await read(PERSISTENT_VOLUME, 'other'),
    ],
    ['ok', 'forbidden', 'ok', 'forbidden', 'ok', 'forbidden', 'ok', 'forbidden'],
  );
  const bound = { apiVersion: 'v1', kind: 'Pod', name: 'refers', uid: running!.metadata.uid };
  t.is((await tokenOf(identity.calls, NAMESPACE, 'default', bound)).status, 201, 'of its own pod');
  t.is((await tokenOf(identity.calls, NAMESPACE, 'default')).status, 403, 'bound to nothing');
  t.is((await tokenOf(identity.calls, 'kube-system', 'default', bound)).status, 403, 'of another service account');
  const elsewhere = {
    ...podThatRefers('elsewhere'),
    spec: { nodeName: 'ecs-1', containers: [{ name: 'c', image: 'i' }] },
  };
  const other = await kube.create(POD, elsewhere);
  t.is(await outcome(asNode.delete(POD, other.metadata, { uid: other.metadata.uid })), 'forbidden');
  t.is(await outcome(asNode.list(POD)), 'forbidden');
  t.is(await outcome(asNode.get(POD, { namespace: NAMESPACE, name: 'none' })), 'forbidden', 'though it is not there');
  t.is(await nodeScoped(asNode, VIRTUAL_NODE_NAME).get(POD, { namespace: NAMESPACE, name: 'none' }), undefined);
  const label = { type: 'merge', body: { metadata: { labels: { a: 'b' } } } } as const;
  const [ecs] = (await kube.list(NODE)).filter(({ metadata }) => metadata.name !== VIRTUAL_NODE_NAME);
  t.is(await outcome(asNode.patch(NODE, { name: ecs!.metadata.name }, label)), 'forbidden');

  // The kubelet endpoint, under --kubelet-certificate-authority.
  const [serving] = await until(
    'a certificate for the endpoint was asked for',
    () => pendingOf(kube, KUBELET_SIGNERS.serving),
    (all) => all.length === 1,
  );
  t.is(serving!.spec.username, nodeUser(VIRTUAL_NODE_NAME), 'only a node gets one');
  const logs = () => kubectl('-n', NAMESPACE, 'logs', 'refers').catch((error: unknown) => String(error));
  t.regex(await logs(), /certificate/, 'before it is approved, API servers refuse to talk to it');
  await kubectl('certificate', 'approve', serving!.metadata.name);
  await until('kubectl logs works', logs, (text) => text === 'started nginx');

  await kube.delete(WORKLOAD_POD, running!.metadata, { uid: running!.metadata.uid });
  await until(
    'nothing is left',
    async () => ({
      pods: (await kube.list(POD, { fieldSelector: `spec.nodeName=${VIRTUAL_NODE_NAME}` })).length,
      groups: stage.cloud.containerGroups().length,
      eips: stage.cloud.eips().length,
    }),
    ({ pods, groups, eips }) => pods + groups + eips === 0,
  );

  await playImageCache(t, { kube, cloud: stage.cloud, kubectl, folder });

  // A restart needs nobody: the identity is in its Secret. By now there are policies, which were looked for before.
  t.is(await node.terminate(), 0);
  await kube.create(CRD, definitionOf(EIP_POLICY));
  const again = await stage.startController(settings, 'virtual-node');
  await kube.create(WORKLOAD_POD, podThatRefers('second'));
  await until(
    'the next process runs pods',
    () => kube.get(WORKLOAD_POD, { namespace: NAMESPACE, name: 'second' }),
    (it) => it?.status?.phase === 'Running',
  );
  t.deepEqual(
    (await pendingOf(kube, KUBELET_SIGNERS.client)).map(({ spec }) => spec.username),
    [`system:serviceaccount:${HOME}:knative-eip-virtual-node`],
    'the thief’s alone, which nobody approves',
  );
  t.is(await again.terminate(), 0);

  // Where it does need somebody, the pods are not evicted meanwhile.
  const { metadata } = (await kube.get(SECRET, IDENTITY))!;
  await kube.delete(SECRET, IDENTITY, { uid: metadata.uid });
  const lease = { namespace: 'kube-node-lease', name: VIRTUAL_NODE_NAME };
  const renewedAt = async () => (await kube.get(LEASE, lease))?.spec?.renewTime;
  const before = await renewedAt();
  const third = await stage.startController(settings, 'virtual-node');
  await until('the Lease is renewed without a certificate', renewedAt, (time) => time !== undefined && time !== before);
  t.false(Object.keys((await kube.get(SECRET, IDENTITY))?.data ?? {}).includes('tls.crt'));
  t.is(await third.terminate(), 0);
  t.is(await controller.terminate(), 0);

  // Each right of the folder was used by its service account, in the words of the API server.
  const audited = auditedOf(auditLog, 'knative-eip-virtual-node');
  const granted = rights.filter(({ folder: it }) => it === 'virtual-node' || it === 'virtual-node-image-caches');
  const unused = nameAll(granted.filter((right) => !audited.some((it) => isBy(right, it))));
  t.deepEqual(
    unused.filter((name) => !USED_ELSEWHERE.has(name)),
    [],
  );
});
