import { createHmac } from 'node:crypto';
import type { Config } from '../../config/schema.ts';
import { printConfig } from '../../config/print.ts';
import { withoutSecrets } from '../../cloud/alicloud/redact.ts';
import { POD } from '../../api/core.ts';
import { EVENT } from '../../kube/recorder.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Diagnosis } from '../diagnose.ts';
import type { Answer } from '../facts.ts';
import { ask, type Reading } from './ask.ts';
import type { ReadFacts } from './read-facts.ts';

/** Who writes the Events that are in it. */
const REPORTER = 'alibabacloud.com/knative-eip';
const LOG_LINES = 500;
const LOG_BYTES = 1_000_000;

interface BundleParts {
  readonly read: ReadFacts;
  readonly diagnosis: Diagnosis;
  readonly nodeVersion: string;
  /** The variables that may hold credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** With it, IDs of the account and addresses are written as a hash under this key, the same everywhere. */
  readonly hashKey: string | undefined;
}

/** The values that must not be in it, wherever they stand. */
const secretsOf = (config: Config | undefined, env: BundleParts['env']): readonly string[] => {
  const { accessKey, accessSecret, securityToken } = config?.credential ?? {};
  return [
    accessKey?.reveal(),
    accessSecret?.reveal(),
    securityToken?.reveal(),
    ...Object.entries(env).flatMap(([name, value]) => (/SECRET|TOKEN|ACCESS_KEY|PASSWORD/u.test(name) ? [value] : [])),
  ].filter((value): value is string => value !== undefined && value !== '');
};

/** Keys whose values say nothing to whoever helps, or may be secret. */
const LEFT_OUT = /^(?:managedFields|kubectl\.kubernetes\.io\/last-applied-configuration)$/u;
const SECRET_KEY =
  /secret$|password|passphrase|authorization|private-?key|(?:access|security|bearer)-?token|access-?key-?(?:id|secret)/iu;

/** 16 digits are an account (RAM user guide); IDs of the cloud have a prefix of letters, and a digit behind it. */
const IDENTIFYING =
  /(?<![\w-])(?:\d{16}|\d{1,3}(?:\.\d{1,3}){3}|(?:eip|vpc|vsw|sg|eni|cbwp|eci|ngw|rg|pippool|i)-(?=[a-z]{0,40}\d)[a-z0-9]{6,40})\b/gu;

const hashed =
  (key: string) =>
  (value: string): string => {
    const digest = createHmac('sha256', key).update(value).digest('hex').slice(0, 10);
    const prefix = /^[a-z]+-/u.exec(value)?.[0] ?? (value.includes('.') ? 'address-' : 'account-');
    return `${prefix}${digest}`;
  };

/** Every text of a value without secrets, and with hashes in place of what identifies, where that is wanted. */
const cleaned = (value: unknown, clean: (text: string) => string): unknown => {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map((each) => cleaned(each, clean));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !LEFT_OUT.test(key))
      .map(([key, each]) => [
        clean(key),
        SECRET_KEY.test(key) && typeof each === 'string' ? '[redacted]' : cleaned(each, clean),
      ]),
  );
};

const readLogs = (reading: Reading, namespace: string): Promise<Answer<Readonly<Record<string, readonly string[]>>>> =>
  ask(reading, async (signal) => {
    const labelSelector = 'app.kubernetes.io/name in (knative-eip,knative-eip-virtual-node)';
    const pods = await reading.kube.list(POD, { namespace, labelSelector }, signal);
    const tails = await Promise.all(
      pods.map(async ({ metadata: { name } }): Promise<readonly [string, readonly string[]]> => {
        const path = `/api/v1/namespaces/${namespace}/pods/${name}/log?tailLines=${LOG_LINES}&limitBytes=${LOG_BYTES}`;
        const answer = await reading.transport({ method: 'GET', path, accept: '*/*', signal });
        const text = await answer.text();
        return [name, answer.status === 200 ? text.split('\n') : [`cannot be read: ${answer.status}`]];
      }),
    );
    return Object.fromEntries(tails);
  });

const eventsOf = (reading: Reading): Promise<Answer<readonly KubeObject[]>> =>
  ask(reading, async (signal) =>
    (await reading.kube.list(EVENT, {}, signal)).filter(({ reportingController }) => reportingController === REPORTER),
  );

/** The support bundle: one JSON document, which a person can read before they send it. No Secret is read for it. */
export const supportBundle = async (reading: Reading, parts: BundleParts): Promise<string> => {
  const { read, diagnosis, nodeVersion, env, hashKey } = parts;
  const { facts, installation, objects } = read;
  const [events, logs] = await Promise.all([eventsOf(reading), readLogs(reading, facts.namespace)]);
  const secrets = secretsOf(installation.loaded?.config, env);
  const clean = (text: string): string => {
    const shown = withoutSecrets(text, secrets);
    return hashKey === undefined ? shown : shown.replaceAll(IDENTIFYING, hashed(hashKey));
  };
  const document = {
    what: 'support bundle of knative-eip doctor; without secrets, and fit for an issue once you have read it',
    versions: {
      knativeEip: facts.version,
      node: nodeVersion,
      kubernetes: facts.answers.apiServer.known ? facts.answers.apiServer.value.version : undefined,
      images: facts.answers.deployments.known ? facts.answers.deployments.value.flatMap(({ images }) => images) : [],
    },
    madeAt: new Date(facts.at).toISOString(),
    findings: diagnosis.findings,
    notAsked: diagnosis.unasked,
    configuration: installation.loaded ? printConfig(installation.loaded, true).split('\n') : undefined,
    facts: facts.answers,
    podEips: objects.podEips,
    policies: objects.policies,
    events,
    logs,
  };
  return `${JSON.stringify(cleaned(document, clean), undefined, 2)}\n`;
};
