import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { endsWithUs, goesWithUs } from '../harness/ends-with-us.ts';
import { freePorts } from '../harness/free-port.ts';

/** A real Kubernetes control plane on 127.0.0.1, or somebody's cluster. */
export interface ControlPlane {
  /** Path of a kubeconfig with administrator's rights. */
  readonly kubeconfig: string;
  readonly url: string;
  /** Makes etcd forget all but the present; undefined for somebody's cluster. */
  readonly compact?: (() => Promise<void>) | undefined;
  /** Stops the API server (SIGSTOP), and returns what lets it go on; undefined for somebody's cluster. */
  readonly freeze?: (() => () => void) | undefined;
  /** Ends the processes and deletes their data. Does nothing to a cluster that was there before. */
  readonly stop: () => Promise<void>;
}

export interface ControlPlaneOptions {
  /** Also run kube-controller-manager (namespace deletion, garbage collection), if its binary is there. */
  readonly controllers?: boolean | undefined;
  /**
   * The node-lifecycle controller among them, which believes a node dead after so many seconds without a heartbeat. By
   * default there is none.
   */
  readonly nodeGraceSeconds?: number | undefined;
  /** Also run kube-scheduler, if its binary is there. */
  readonly scheduler?: boolean | undefined;
  /**
   * Where the API server listens; pods with network namespaces of their own cannot reach the default.
   * @default '127.0.0.1'
   */
  readonly address?: string | undefined;
  /** Files with the certificate and the key by which the API server shows kubelets who it is. */
  readonly kubeletClient?: { readonly certificate: string; readonly key: string } | undefined;
  /**
   * Files with a certificate, which is its own authority, and its key: by it the API server shows extension API servers
   * (APIService) that it is the one that asks, and for whom.
   */
  readonly frontProxy?: { readonly certificate: string; readonly key: string } | undefined;
  /**
   * Files of an authority that signs certificates of nodes, as kubeadm sets a cluster up: with the Node authorizer and
   * NodeRestriction, and kubelets whose certificates are checked.
   */
  readonly nodeAuthority?: { readonly certificate: string; readonly key: string } | undefined;
  /** A file that gets a line for each request, with who made it and which right allowed it; see test/e2e/audit.ts. */
  readonly auditLog?: string | undefined;
}

/** What to set so that tests against a real control plane run. */
export const HOW_TO_GET_ONE =
  'set KUBECONFIG to a cluster that may be written to, or KUBEBUILDER_ASSETS to what test/assets/build kubernetes prints';

const READY_WITHIN_MS = 300_000;
const POLL_MS = 100;

const assets = process.env['KUBEBUILDER_ASSETS'];
const binary = (name: string): string | undefined => {
  const path = assets === undefined ? undefined : join(assets, name);
  return path !== undefined && existsSync(path) ? path : undefined;
};

/** Whether {@link startControlPlane} will give a control plane. Known at once, so that tests can be declared by it. */
export const controlPlaneAvailable = (): boolean =>
  Boolean(process.env['KUBECONFIG']) || (binary('etcd') !== undefined && binary('kube-apiserver') !== undefined);

/** Who asks for what and why he may; no bodies. Source: kubernetes.io/docs/tasks/debug/debug-cluster/audit. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * As API servers do it every five minutes (apiserver pkg/storage/etcd3/compact.go), through etcd's JSON gateway: the
 * key tells all of them up to where, so that they forget their own copies of the past too.
 */
const compact = async (etcdUrl: string): Promise<void> => {
  const call = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(etcdUrl + path, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd answered ${response.status} to ${path}: ${await response.text()}`);
    return response.json();
  };
  const { header } = (await call('/v3/kv/range', { key: base64('/') })) as { header: { revision: string } };
  await call('/v3/kv/put', { key: base64('compact_rev_key'), value: base64(header.revision) });
  await call('/v3/kv/compaction', { revision: header.revision, physical: true });
};

const answers200 = (url: string, token: string): Promise<boolean> =>
  new Promise((resolve) => {
    // The certificate is the one that the API server made for itself a moment ago.
    get(url, { headers: { authorization: `Bearer ${token}` }, rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });

const existingCluster = (path: string): ControlPlane => {
  const config = new KubeConfig();
  config.loadFromFile(path);
  return { kubeconfig: path, url: config.getCurrentCluster()?.server ?? '', stop: () => Promise.resolve() };
};

/**
 * The cluster that `KUBECONFIG` names; otherwise etcd and kube-apiserver from `KUBEBUILDER_ASSETS` (the convention of
 * controller-runtime's envtest), started on free ports of 127.0.0.1 with their data in a temporary folder; otherwise
 * undefined. Like envtest, it turns the ServiceAccount admission plugin off, so that pods need no service account.
 */
export const startControlPlane = async (options: ControlPlaneOptions = {}): Promise<ControlPlane | undefined> => {
  if (process.env['KUBECONFIG']) return existingCluster(process.env['KUBECONFIG']);
  const etcd = binary('etcd');
  const apiserver = binary('kube-apiserver');
  if (etcd === undefined || apiserver === undefined) return undefined;

  const dir = await mkdtemp(join(tmpdir(), 'control-plane-'));
  goesWithUs(dir);
  const children: ChildProcess[] = [];
  const run = (
    name: string,
    path: string,
    flags: Readonly<Record<string, string | number | boolean>>,
  ): ChildProcess => {
    const log = openSync(join(dir, `${name}.log`), 'a');
    const arguments_ = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = endsWithUs(spawn(path, arguments_, { stdio: ['ignore', log, log], cwd: dir }));
    children.push(child);
    return child;
  };
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(dir, { recursive: true, force: true });
  };

  try {
    const [client = 0, peer = 0, secure = 0, manager = 0, scheduler = 0] = await freePorts(5);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const serviceAccountKey = join(dir, 'service-account.key');
    await writeFile(serviceAccountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }));
    const token = 'control-plane-of-a-test';
    const tokens = join(dir, 'tokens.csv');
    await writeFile(tokens, `${token},admin,admin,system:masters\n`);

    const etcdUrl = `http://127.0.0.1:${client}`;
    run('etcd', etcd, {
      'data-dir': join(dir, 'etcd'),
      'unsafe-no-fsync': true,
      'listen-client-urls': etcdUrl,
      'advertise-client-urls': etcdUrl,
      'listen-peer-urls': `http://127.0.0.1:${peer}`,
    });
    const { address = '127.0.0.1', kubeletClient, frontProxy, nodeAuthority, auditLog } = options;
    const auditPolicy = join(dir, 'audit-policy.json');
    if (auditLog !== undefined) await writeFile(auditPolicy, JSON.stringify(AUDIT_POLICY));
    const server = run('kube-apiserver', apiserver, {
      'etcd-servers': etcdUrl,
      'bind-address': address,
      // It looks for one itself where it listens on the loopback, and finds none in a network namespace without routes.
      ...(options.address !== undefined && { 'advertise-address': address }),
      'secure-port': secure,
      'cert-dir': dir,
      'token-auth-file': tokens,
      'authorization-mode': nodeAuthority ? 'Node,RBAC' : 'RBAC',
      'service-account-key-file': serviceAccountKey,
      'service-account-signing-key-file': serviceAccountKey,
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-cluster-ip-range': '10.96.0.0/16',
      'disable-admission-plugins': 'ServiceAccount',
      ...(nodeAuthority && {
        'enable-admission-plugins': 'NodeRestriction',
        'client-ca-file': nodeAuthority.certificate,
        'kubelet-certificate-authority': nodeAuthority.certificate,
      }),
      // As it comes, and not in batches: whoever has had his answer finds his line.
      ...(auditLog !== undefined && {
        'audit-log-path': auditLog,
        'audit-log-mode': 'blocking',
        'audit-policy-file': auditPolicy,
      }),
      ...(kubeletClient && {
        'kubelet-client-certificate': kubeletClient.certificate,
        'kubelet-client-key': kubeletClient.key,
      }),
      ...(frontProxy && {
        'proxy-client-cert-file': frontProxy.certificate,
        'proxy-client-key-file': frontProxy.key,
        'requestheader-client-ca-file': frontProxy.certificate,
        'requestheader-username-headers': 'X-Remote-User',
        'requestheader-group-headers': 'X-Remote-Group',
        'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      }),
    });

    const url = `https://${address}:${secure}`;
    for (let waited = 0; !(await answers200(`${url}/readyz`, token)); waited += POLL_MS) {
      if (server.exitCode !== null || waited > READY_WITHIN_MS)
        throw new Error(
          `kube-apiserver is not ready: ${(await readFile(join(dir, 'kube-apiserver.log'), 'utf8')).slice(-2000)}`,
        );
      await sleep(POLL_MS);
    }

    const kubeconfig = join(dir, 'kubeconfig');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': join(dir, 'apiserver.crt') } }],
        users: [{ name: 'admin', user: { token } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
        'current-context': 'test',
      }),
    );
    const controllerManager = binary('kube-controller-manager');
    if (options.controllers && controllerManager !== undefined)
      run('kube-controller-manager', controllerManager, {
        kubeconfig,
        'leader-elect': false,
        'bind-address': '127.0.0.1',
        'secure-port': manager,
        'cert-dir': dir,
        'use-service-account-credentials': false,
        'service-account-private-key-file': serviceAccountKey,
        ...(nodeAuthority && {
          'cluster-signing-cert-file': nodeAuthority.certificate,
          'cluster-signing-key-file': nodeAuthority.key,
        }),
        'kube-api-qps': 500,
        'kube-api-burst': 1000,
        'horizontal-pod-autoscaler-sync-period': '2s',
        // Those that would want a cloud, or kubelets that report every few seconds.
        controllers: [
          '*',
          '-node-ipam-controller',
          '-cloud-node-lifecycle-controller',
          '-persistentvolume-attach-detach-controller',
          ...(options.nodeGraceSeconds === undefined ? ['-node-lifecycle-controller'] : []),
        ].join(','),
        ...(options.nodeGraceSeconds !== undefined && {
          'node-monitor-grace-period': `${options.nodeGraceSeconds}s`,
          'node-monitor-period': '1s',
        }),
      });
    const kubeScheduler = binary('kube-scheduler');
    if (options.scheduler && kubeScheduler !== undefined)
      run('kube-scheduler', kubeScheduler, {
        kubeconfig,
        'leader-elect': false,
        'bind-address': '127.0.0.1',
        'secure-port': scheduler,
        'cert-dir': dir,
      });
    const freeze = () => {
      server.kill('SIGSTOP');
      return () => void server.kill('SIGCONT');
    };
    return { kubeconfig, url, stop, freeze, compact: () => compact(etcdUrl) };
  } catch (error) {
    await stop();
    throw error;
  }
};
