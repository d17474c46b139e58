import { type ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { CONFIG_MAP, SECRET } from '../../../src/api/core.ts';
import { objectPath } from '../../../src/kube/path.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../../../src/kube/port.ts';
import { createPodNetwork } from './network.ts';
import type { Container, KubeletPod } from './pod.ts';

/** What is started for an image. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** Comes behind the container's own arguments: for programs that do not read KUBECONFIG. */
  readonly last?: (kubeconfig: string) => readonly string[];
}

export interface ProcessPodParts {
  readonly kube: Kube;
  readonly transport: KubeTransport;
  /** URL of the API server and the certificate of its authority, for the kubeconfigs of service accounts. */
  readonly api: { readonly server: string; readonly authority: string };
  /** Where logs and mounted files go. */
  readonly folder: string;
  readonly programOf: (image: string) => Program | undefined;
}

/** A pod whose containers are processes of this machine, in a network namespace of the pod's own. */
export interface ProcessPod {
  readonly ip: string;
  /** When each container was started, by name; and how often it was started again. */
  readonly containers: ReadonlyMap<string, { readonly restarts: number; readonly startedAt: string }>;
  readonly kill: (container: string) => void;
  /** SIGTERM, and SIGKILL after the grace; resolves when all have ended. */
  readonly stop: (graceMs: number) => Promise<void>;
}

const SERVICE_ACCOUNT: Resource<KubeObject> = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

/** How long a container that has ended waits until it is started again; each time twice as long, as on a node. */
const RESTART_MS = { first: 500, most: 10_000 };

/** Writes a kubeconfig with a token of the pod's service account: what the projected volume is in a cluster. */
const actAs = async ({ transport, api }: ProcessPodParts, pod: KubeletPod, path: string): Promise<void> => {
  const { namespace, name, uid } = pod.metadata;
  const account = { namespace, name: pod.spec.serviceAccountName ?? 'default' };
  const response = await transport({
    method: 'POST',
    path: `${objectPath(SERVICE_ACCOUNT, account)}/token`,
    contentType: 'application/json',
    body: JSON.stringify({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
    }),
  });
  const body = await response.text();
  if (response.status !== 201) throw new Error(`no token for service account ${account.name}: ${body}`);
  const { status } = JSON.parse(body) as { status: { token: string } };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'stage', cluster: { server: api.server, 'certificate-authority': api.authority } }],
    users: [{ name: 'pod', user: { token: status.token } }],
    contexts: [{ name: 'stage', context: { cluster: 'stage', user: 'pod', namespace } }],
    'current-context': 'stage',
  };
  await writeFile(path, stringify(config), { mode: 0o600 });
};

const environmentOf = async (
  { kube }: ProcessPodParts,
  pod: KubeletPod,
  { name, env = [] }: Container,
  ip: string,
): Promise<Record<string, string>> => {
  const { namespace } = pod.metadata;
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': pod.metadata.name,
    'metadata.namespace': namespace,
    'metadata.uid': pod.metadata.uid,
    'status.podIP': ip,
    'spec.nodeName': pod.spec.nodeName,
  };
  const environment: Record<string, string> = {};
  for (const { name: variable, value, valueFrom } of env) {
    const { secretKeyRef } = valueFrom ?? {};
    if (secretKeyRef) {
      const secret = await kube.get(SECRET, { namespace, name: secretKeyRef.name });
      const text = secret?.data?.[secretKeyRef.key];
      if (text !== undefined) environment[variable] = Buffer.from(text, 'base64').toString();
      // As a kubelet does it: a variable that may be missing is not set.
      if (text !== undefined || secretKeyRef.optional === true) continue;
    }
    const found = valueFrom === undefined ? (value ?? '') : fields[valueFrom.fieldRef?.fieldPath ?? ''];
    if (found === undefined)
      throw new Error(
        `container ${name}: the stand-in for a kubelet cannot fill ${variable}: ${JSON.stringify(valueFrom)}`,
      );
    environment[variable] = found;
  }
  return environment;
};

/** Writes the ConfigMaps that the pod mounts; the folder of each volume, by its name. */
const mountedFolders = async (
  { kube }: ProcessPodParts,
  pod: KubeletPod,
  folder: string,
): Promise<ReadonlyMap<string, string>> => {
  const folders = new Map<string, string>();
  for (const { name, configMap } of pod.spec.volumes ?? []) {
    if (!configMap) throw new Error(`the stand-in for a kubelet mounts ConfigMaps only, not the volume ${name}`);
    const object = await kube.get(CONFIG_MAP, { namespace: pod.metadata.namespace, name: configMap.name });
    if (!object) throw new Error(`there is no ConfigMap ${configMap.name} to be mounted`);
    const path = join(folder, name);
    await mkdir(path, { recursive: true });
    for (const [file, text] of Object.entries(object.data ?? {})) await writeFile(join(path, file), text);
    folders.set(name, path);
  }
  return folders;
};

/** The arguments with the folders that are mounted here in place of those that the container would see. */
const localized = (
  { args = [], volumeMounts = [] }: Container,
  folders: ReadonlyMap<string, string>,
): readonly string[] =>
  volumeMounts.reduce<readonly string[]>(
    (all, { name, mountPath }) => all.map((arg) => arg.replaceAll(mountPath, folders.get(name) ?? mountPath)),
    args,
  );

/** Starts the containers of a pod; `onChange` is called when one of them was started again. */
export const runProcesses = async (
  parts: ProcessPodParts,
  pod: KubeletPod,
  onChange: () => void,
): Promise<ProcessPod> => {
  const network = await createPodNetwork();
  const folder = join(parts.folder, `${pod.metadata.name}_${pod.metadata.uid}`);
  await mkdir(folder, { recursive: true });
  const kubeconfig = join(folder, 'kubeconfig');
  await actAs(parts, pod, kubeconfig);
  const folders = await mountedFolders(parts, pod, folder);
  const containers = new Map<string, { restarts: number; startedAt: string }>();
  const children = new Map<string, ChildProcess>();
  const stopping = new AbortController();

  const prepare = async (container: Container) => {
    const program = parts.programOf(container.image);
    if (!program) throw new Error(`there is no program for the image ${container.image}`);
    const env = {
      PATH: process.env['PATH'] ?? '',
      ...(await environmentOf(parts, pod, container, network.address)),
      KUBECONFIG: kubeconfig,
    };
    const args = [...program.args, ...localized(container, folders), ...(program.last?.(kubeconfig) ?? [])];
    return { name: container.name, command: program.command, args, env };
  };

  const run = async ({ name, command, args, env }: Awaited<ReturnType<typeof prepare>>): Promise<void> => {
    const log = openSync(join(folder, `${name}.log`), 'a');
    for (let restarts = 0; !stopping.signal.aborted; restarts += 1) {
      const child = network.spawn(command, args, { stdio: ['ignore', log, log], env, cwd: folder });
      children.set(name, child);
      containers.set(name, { restarts, startedAt: new Date().toISOString() });
      onChange();
      await once(child, 'exit');
      if (!stopping.signal.aborted) await sleep(Math.min(RESTART_MS.most, RESTART_MS.first * 2 ** restarts));
    }
    closeSync(log);
  };
  const ended = (await Promise.all(pod.spec.containers.map(prepare))).map(run);
  let closed: Promise<void> | undefined;
  return {
    ip: network.address,
    containers,
    kill: (name) => children.get(name)?.kill('SIGKILL'),
    stop: async (graceMs) => {
      stopping.abort();
      for (const child of children.values()) child.kill('SIGTERM');
      const late = setTimeout(() => children.forEach((child) => child.kill('SIGKILL')), graceMs);
      await Promise.all(ended);
      clearTimeout(late);
      await (closed ??= network.close());
    },
  };
};
