import { X509Certificate } from 'node:crypto';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../api/admission-registration.ts';
import { KEYS } from '../../api/annotations.ts';
import { SECRET } from '../../api/core.ts';
import type { Config } from '../../config/schema.ts';
import { faultOfAnswer } from '../../kube/api-status.ts';
import type { Answer, CertificateFact, WebhookAnswerFact, WebhookFact, WebhookSecretFact } from '../facts.ts';
import { ask, type Reading } from './ask.ts';

const DEFAULT = { name: 'knative-eip', secret: 'knative-eip-webhook' };
/** How the names of our webhooks end. */
const OURS = '.knative-eip.alibabacloud.com';
const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,16000}-----END CERTIFICATE-----/gu;

/** So much of a caBundle is looked at, characters: ours has two or three certificates of 700. */
const LONGEST = 16_000;

/** The certificates in a text. @throws Error for one that is none */
const certificatesIn = (text: string): readonly CertificateFact[] =>
  [...text.slice(0, LONGEST).matchAll(PEM)].map(([pem]) => {
    const certificate = new X509Certificate(pem);
    return {
      fingerprint: certificate.fingerprint256,
      from: certificate.validFromDate.getTime(),
      until: certificate.validToDate.getTime(),
    };
  });

const bundleFact = (bundle: string): Pick<WebhookFact, 'authorities' | 'problem'> => {
  if (bundle === '') return { authorities: [], problem: 'caBundle is empty' };
  try {
    const authorities = certificatesIn(Buffer.from(bundle, 'base64').toString('utf8'));
    return { authorities, ...(authorities.length === 0 && { problem: 'caBundle has no certificate in it' }) };
  } catch {
    // Which error it is, is OpenSSL's to say, and helps nobody.
    return { authorities: [], problem: 'caBundle has a certificate that cannot be read' };
  }
};

export const readWebhooks = (reading: Reading, config: Config | undefined): Promise<Answer<readonly WebhookFact[]>> =>
  ask(reading, async (signal) => {
    const name = config?.webhook.configurationName ?? DEFAULT.name;
    const found = await Promise.all(
      [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS].map(async ({ kind, ...resource }) => {
        const configuration = await reading.kube.get({ ...resource, kind }, { name }, signal);
        return (configuration?.webhooks ?? []).map((webhook): WebhookFact => ({
          kind,
          name: webhook.name,
          failurePolicy: webhook.failurePolicy ?? 'Fail',
          ...bundleFact(webhook.clientConfig.caBundle ?? ''),
        }));
      }),
    );
    return found.flat();
  });

/** Of the Secret only the certificates of the authorities are kept, as fingerprints. */
export const readWebhookSecret = (
  reading: Reading,
  { namespace, config }: { readonly namespace: string; readonly config: Config | undefined },
): Promise<Answer<WebhookSecretFact | undefined>> =>
  ask(reading, async (signal) => {
    const name = config?.webhook.secretName ?? DEFAULT.secret;
    const secret = await reading.kube.get(SECRET, { namespace, name }, signal);
    const text = Buffer.from(secret?.data?.['ca.crt'] ?? '', 'base64').toString('utf8');
    const fingerprints = certificatesIn(text).map(({ fingerprint }) => fingerprint);
    return fingerprints.length === 0 ? undefined : { fingerprints };
  });

/** A pod that asks for a bandwidth that is none, which the validating webhook refuses. It is never stored. */
const CONTRADICTION = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'knative-eip-doctor',
    namespace: 'default',
    annotations: { [KEYS.withEip[0]]: 'true', [KEYS.bandwidth[0]]: 'none' },
  },
  spec: { containers: [{ name: 'none', image: 'registry.k8s.io/pause:3.10', ...unprivileged() }], ...podSecurity() },
};

/** As the strictest Pod Security Standard asks, so that nobody else refuses it. */
function unprivileged() {
  return {
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } },
  };
}

function podSecurity() {
  return { securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } } };
}

/** Whether the API server gets an answer from the webhooks, by a dry run; undefined where no webhook would be asked. */
export const readWebhookAnswer = (
  reading: Reading,
  webhooks: readonly WebhookFact[],
): Promise<Answer<WebhookAnswerFact | undefined>> =>
  ask(reading, async (signal) => {
    const isAsked = webhooks.some(({ kind, name }) => kind === VALIDATING_WEBHOOKS.kind && name === `pods${OURS}`);
    if (!isAsked) return undefined;
    const response = await reading.transport({
      method: 'POST',
      path: '/api/v1/namespaces/default/pods?dryRun=All',
      contentType: 'application/json',
      accept: 'application/json',
      body: JSON.stringify(CONTRADICTION),
      signal,
    });
    const body = await response.text();
    if (response.status >= 200 && response.status < 300) {
      const warning = response.header('warning') ?? '';
      return { outcome: warning.includes('eip-bandwidth') ? 'warned' : 'letIn', message: warning };
    }
    const fault = faultOfAnswer(response, body, reading.clock.now());
    const isOurs = fault.message.includes(OURS);
    if (isOurs && fault.message.includes('denied the request')) return { outcome: 'refused', message: fault.message };
    if (isOurs) return { outcome: 'failed', message: fault.message };
    throw fault;
  });
