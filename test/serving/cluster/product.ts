import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { MUTATING_WEBHOOKS } from '../../../src/api/admission-registration.ts';
import type { Kube } from '../../../src/kube/port.ts';
import { sandboxCredential } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { HOME } from '../../e2e/rights.ts';
import { until } from '../../harness/until.ts';
import type { Kubectl } from './kubectl.ts';
import { configuration } from '../../harness/settings.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;

export interface ProductOptions {
  readonly kubectl: Kubectl;
  readonly kube: Kube;
  /** Where the manifests are copied to, because the configuration is written into them. */
  readonly folder: string;
  readonly cloudUrl: string;
  readonly vpcID: string;
  readonly vSwitchID: string;
  readonly replicas: number;
  /** What differs from {@link configurationOf}. */
  readonly settings: object;
}

export const VIRTUAL_NODE_NAME = 'knative-eip-virtual-node';

const configurationOf = ({ cloudUrl, vpcID, vSwitchID, settings }: ProductOptions): object =>
  configuration({
    clusterID: 'stage',
    vpcID,
    endpoints: { vpc: cloudUrl, ecs: cloudUrl, eci: cloudUrl },
    webhook: { enabled: true },
    logFormat: 'json',
    // A dozen Services at once are more than the defaults are made for.
    kubeClientQPS: 200,
    kubeClientBurst: 400,
    networkController: { eipController: { maxConcurrentReconciles: 10 } },
    virtualNode: {
      enabled: true,
      identity: 'serviceAccount',
      vSwitchIDs: [vSwitchID],
      securityGroupID: 'sg-stage',
    },
    ...settings,
  });

/**
 * `vi config/manager/config.yaml` and `kubectl apply -k config/virtual-node`, also for a change of the configuration.
 */
export const installProduct = async (options: ProductOptions): Promise<void> => {
  const { kubectl, folder, replicas } = options;
  const config = join(folder, 'config');
  await cp(join(ROOT, 'config'), config, { recursive: true });
  await writeFile(join(config, 'manager/config.yaml'), stringify(configurationOf(options)));
  for (const part of ['manager', 'virtual-node']) {
    const deployment = join(config, part, 'deployment.yaml');
    const manifest = await readFile(deployment, 'utf8');
    await writeFile(deployment, manifest.replace(/^ {2}replicas: \d+$/mu, `  replicas: ${replicas}`));
  }
  await kubectl('apply', '-f', join(config, 'manager/namespace.yaml'));
  const { accessKeyId, accessKeySecret } = sandboxCredential;
  await kubectl.apply(
    ['knative-eip', 'knative-eip-virtual-node'].map((process) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${process}-credentials`, namespace: HOME },
      stringData: {
        ALIBABA_CLOUD_ACCESS_KEY_ID: accessKeyId,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: accessKeySecret,
      },
    })),
  );
  await kubectl('apply', '-k', join(config, 'virtual-node'));
  await kubectl('apply', '-k', join(config, 'virtual-node-service-account'));
};

/** Waits until it works, and the API server calls its webhooks. */
export const productIsReady = async ({ kubectl, kube }: ProductOptions): Promise<void> => {
  for (const name of ['knative-eip', 'knative-eip-virtual-node'])
    await kubectl('-n', HOME, 'rollout', 'status', 'deployment', name, '--timeout=120s');
  await until(
    'the API server trusts the webhooks',
    () => kube.get(MUTATING_WEBHOOKS, { name: 'knative-eip' }),
    (it) =>
      (it?.webhooks ?? []).length > 0 && it!.webhooks!.every(({ clientConfig }) => Boolean(clientConfig.caBundle)),
  );
};
