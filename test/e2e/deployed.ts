import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SECRET } from '../../src/api/core.ts';
import type { KubeObject } from '../../src/kube/port.ts';
import { actAsProduct, HOME } from './rights.ts';
import type { Stage } from './stage.ts';
import { endsWithUs } from '../harness/ends-with-us.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** A reference to one key of a Secret. */
interface KeyReference {
  readonly name: string;
  readonly key: string;
  readonly optional?: boolean;
}

/** A variable of a container. */
interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string }; readonly secretKeyRef?: KeyReference };
}

/** What a kubelet reads of a Deployment's pods. */
interface PodTemplate {
  readonly serviceAccountName: string;
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly env: readonly Variable[];
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
  readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

export const readAs = async <T>(stage: Stage, path: string): Promise<T> => {
  const response = await stage.transport({ method: 'GET', path });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${body}`);
  return JSON.parse(body) as T;
};

const valueOf = async (stage: Stage, { name, value, valueFrom }: Variable): Promise<string | undefined> => {
  const fields: Readonly<Record<string, string>> = { 'metadata.name': `${name}-of-a-test`, 'metadata.namespace': HOME };
  if (valueFrom?.fieldRef) return fields[valueFrom.fieldRef.fieldPath];
  if (!valueFrom?.secretKeyRef) return value;
  const { name: secretName, key, optional = false } = valueFrom.secretKeyRef;
  const secret = await stage.kube.get(SECRET, { namespace: HOME, name: secretName });
  const data = secret?.data?.[key];
  if (data === undefined && !optional) throw new Error(`there is no ${key} in the Secret ${secretName}`);
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString();
};

/**
 * Runs the controller as a kubelet would run a pod of the Deployment knative-eip that is in the cluster: its arguments,
 * its variables, its ConfigMap as a folder, and the token of its service account.
 */
export const runAsDeployed = async (stage: Stage) => {
  const { spec } = await readAs<KubeObject & { spec: { template: { spec: PodTemplate } } }>(
    stage,
    `/apis/apps/v1/namespaces/${HOME}/deployments/knative-eip`,
  );
  const { serviceAccountName, containers, volumes } = spec.template.spec;
  const [container] = containers;
  if (!container) throw new Error('the Deployment has no container');
  let args = container.args;
  for (const { name, mountPath } of container.volumeMounts) {
    const configMap = volumes.find((volume) => volume.name === name)?.configMap?.name;
    if (configMap === undefined) throw new Error(`the volume ${name} is no ConfigMap`);
    const { data } = await readAs<{ data: Record<string, string> }>(
      stage,
      `/api/v1/namespaces/${HOME}/configmaps/${configMap}`,
    );
    const folder = join(stage.folder, `mount-${name}`);
    await mkdir(folder, { recursive: true });
    // A pod has addresses of its own; here it would be all those of the machine.
    for (const [file, text] of Object.entries(data))
      await writeFile(join(folder, file), text.replaceAll('0.0.0.0:', '127.0.0.1:'));
    args = args.map((word) => word.replace(`${mountPath}/`, `${folder}/`));
  }
  const variables = await Promise.all(
    container.env.map(async (variable) => [variable.name, await valueOf(stage, variable)] as const),
  );
  const account = join(stage.folder, `kubeconfig-${serviceAccountName}`);
  await actAsProduct(stage.kubeconfig, account, stage.transport, serviceAccountName);
  const child = endsWithUs(
    spawn(process.execPath, [join(ROOT, 'src/bin.js'), ...args, '--kubeconfig', account], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], ...Object.fromEntries(variables.filter(([, value]) => value !== undefined)) },
    }),
  );
  let output = '';
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const ended = once(child, 'close') as Promise<[number | null]>;
  const hasStarted = once(child.stderr, 'data');
  hasStarted.catch(() => undefined);
  return {
    output: () => output,
    /** For a test that fails: does nothing to one that has ended. */
    kill: () => child.kill('SIGKILL'),
    /** Sends SIGTERM; resolves to the exit code. */
    terminate: async (): Promise<number | null> => {
      await Promise.race([hasStarted, ended]);
      child.kill('SIGTERM');
      const [code] = await ended;
      return code;
    },
  };
};
