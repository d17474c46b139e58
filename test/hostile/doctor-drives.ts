import { plainCode } from '../../src/cloud/alicloud/redact.ts';
import { diagnose } from '../../src/doctor/diagnose.ts';
import { supportBundle } from '../../src/doctor/reader/bundle.ts';
import { readAccount } from '../../src/doctor/reader/read-cloud.ts';
import { readWebhooks } from '../../src/doctor/reader/read-webhooks.ts';
import { factsOf, healthyAnswers } from '../doctor/healthy.ts';
import { readingOf, readOf } from '../doctor/reading.ts';
import { configOf } from '../harness/settings.ts';
import type { Drive } from './drive.ts';

/* What doctor reads of cluster and account, whoever wrote it there. */

/** Labels and names have at most 63 characters, as the API server takes them. */
const LABEL = 63;

const answer = (text: string) => ({
  code: plainCode(text) || 'Unknown',
  status: 403,
  requestId: undefined,
  ms: 1,
  known: true,
  message: text.slice(0, 512),
  body: { AccessDeniedDetail: { AuthAction: text.slice(0, 512) } },
});

export const DOCTOR_DRIVES: Readonly<Record<string, Drive>> = {
  'versions and names that doctor judges': (text) => {
    const version = text.slice(0, LABEL);
    return diagnose(
      factsOf({
        apiServer: { version },
        virtualNode: { ...healthyAnswers.virtualNode!, version },
        knative: { version, features: {} },
        webhooks: healthyAnswers.webhooks.map((each) => ({ ...each, name: version, failurePolicy: 'Fail' })),
      }),
    );
  },
  'objects and logs in the bundle of doctor': (text) =>
    supportBundle(readingOf({ pods: [{ metadata: { name: 'a' } }] }, text), {
      read: readOf([{ metadata: { name: 'a', annotations: { note: text, id: 'eip-bp1000000' } } }]),
      diagnosis: diagnose(factsOf()),
      nodeVersion: 'v26',
      env: { ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secret' },
      hashKey: 'key',
    }),
  'caBundles that doctor reads': (text) =>
    readWebhooks(
      readingOf({
        validatingwebhookconfigurations: [
          {
            metadata: { name: 'a' },
            webhooks: [{ name: 'a', clientConfig: { caBundle: btoa(encodeURIComponent(text.toWellFormed())) } }],
          },
        ],
      }),
      undefined,
    ),
  'answers of the cloud that doctor sorts': (text) =>
    readAccount(
      readingOf({}),
      {
        source: '',
        signIn: () => Promise.resolve(),
        call: () => Promise.resolve(answer(text)),
        cloud: {
          networkInterfacesOf: () => Promise.resolve([]),
          findEips: () => Promise.resolve([]),
          describeEip: () => Promise.resolve(undefined),
        },
        reaches: () => Promise.resolve(true),
        dateAt: () => Promise.resolve(undefined),
      },
      { config: configOf(), part: undefined },
    ),
};
