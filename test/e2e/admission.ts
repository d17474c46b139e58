import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { OUR_VIRTUAL_NODE, WANTS_ECI } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { type Stage } from './stage.ts';
import { until } from '../harness/until.ts';

/**
 * As long as the API server may wait for a webhook, seconds: after that it goes on without it, which on a busy machine
 * looks as if the webhook had let something pass. Source: ValidateWebhookConfiguration of the API server.
 */
export const LONGEST_WAIT_SECONDS = 30;

/**
 * The manifest of the product, with the address of this machine in place of a Service of the cluster, and all the time
 * that it may be given.
 */
export const webhookConfiguration = (port: number, which: 'mutating' | 'validating' = 'mutating') => {
  const manifest = parse(readFileSync(`config/webhook/${which}_webhook_configuration.yaml`, 'utf8'), {
    merge: true,
  }) as { webhooks: { clientConfig: { service: { path: string } } }[] };
  return {
    ...manifest,
    webhooks: manifest.webhooks.map((webhook) => ({
      ...webhook,
      timeoutSeconds: LONGEST_WAIT_SECONDS,
      clientConfig: { url: `https://127.0.0.1:${port}${webhook.clientConfig.service.path}` },
    })),
  };
};

/** The configuration of a controller that serves the webhooks there. */
export const webhookSettings = (port: number) => ({
  webhook: { enabled: true, address: `127.0.0.1:${port}`, hosts: ['127.0.0.1'] },
});

export const areWebhooksTrusted = ({ kube }: Stage, minimum = 1) =>
  until(
    'the API server trusts the webhooks',
    () => kube.get(MUTATING_WEBHOOKS, { name: 'knative-eip' }),
    (it) =>
      (it?.webhooks ?? []).length >= minimum &&
      (it?.webhooks ?? []).every(({ clientConfig }) => (clientConfig.caBundle ?? '') !== ''),
  );

/**
 * Waits until pods really are prepared: the API server takes a moment until it calls a webhook that
 * was just configured.
 */
export const areWebhooksCalled = async (stage: Stage): Promise<void> => {
  await areWebhooksTrusted(stage);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'nobody', namespace: 'default', labels: { [WANTS_ECI]: 'true' } },
    spec: { containers: [{ name: 'main', image: 'hello' }] },
  };
  await until(
    'the pod webhook is called',
    async () => {
      const response = await stage.transport({
        method: 'POST',
        path: `/api/v1/namespaces/default/${POD.plural}?dryRun=All`,
        contentType: 'application/json',
        body: JSON.stringify(pod),
      });
      return JSON.parse(await response.text()) as Pod;
    },
    ({ spec }) => spec?.nodeSelector?.[OUR_VIRTUAL_NODE] === 'true',
  );
};
