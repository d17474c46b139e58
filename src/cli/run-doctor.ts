import { writeFileSync } from 'node:fs';
import { proxyAgentOf, sendThrough } from '../cloud/proxy.ts';
import { diagnose } from '../doctor/diagnose.ts';
import type { Facts } from '../doctor/facts.ts';
import { supportBundle } from '../doctor/reader/bundle.ts';
import { readFacts, type FactsWanted } from '../doctor/reader/read-facts.ts';
import { createKube } from '../kube/client.ts';
import { connect, KubeconfigError } from '../kube/connect.ts';
import type { KubeTransport } from '../kube/port.ts';
import { systemRandom as random } from '../lib/random.ts';
import { cloudReadingOf } from './doctor-cloud.ts';
import { diagnosisText } from './doctor-text.ts';
import { plain } from './eip-text.ts';
import { kubectlTransport } from './kubectl-transport.ts';
import type { Shell } from './shell.ts';
import { stopSignal } from './stop.ts';
import { nodeVersion, version } from './version.ts';

/** What `knative-eip doctor` was asked for. */
interface DoctorOptions {
  readonly config: string | undefined;
  readonly namespace: string | undefined;
  readonly output: 'text' | 'json';
  readonly bundle: string | undefined;
  readonly redact: boolean;
  readonly kubeconfig: string | undefined;
  /** The flags for kubectl, --kubeconfig among them. */
  readonly connection: readonly string[];
}

const EXIT = { well: 0, error: 1, notRun: 2 } as const;
/** Lines are read in terminals and in issues. */
const WIDTH = 80;
/** All questions come at once. */
const LIMITS = { qps: 100, burst: 200 };

interface Way {
  readonly transport: KubeTransport;
  readonly isInPod: boolean;
  readonly close: () => Promise<void>;
}

const nothingToClose = () => Promise.resolve();

/**
 * In a pod by its service account; with a kubeconfig alone directly; otherwise by the user's kubectl, which knows all
 * other ways.
 */
const wayToCluster = async ({ kubeconfig, connection }: DoctorOptions, env: Shell['env']): Promise<Way> => {
  const isInPod = env['KUBERNETES_SERVICE_HOST'] !== undefined && connection.length === 0;
  if (!isInPod && (kubeconfig === undefined || connection.length > 1))
    return { transport: kubectlTransport(connection), isInPod, close: nothingToClose };
  const { calls, close } = await connect({ kubeconfigPath: kubeconfig, env });
  return { transport: calls, isInPod, close };
};

/** `knative-eip doctor`: 0 where nothing is an error, 1 where something is, 2 where the cluster cannot be asked. */
export const runDoctor = async (options: DoctorOptions, shell: Shell): Promise<number> => {
  const { clock, env, err } = shell;
  const { signal, dispose } = stopSignal(clock);
  const proxy = proxyAgentOf(env);
  const undo = proxy && (await sendThrough(proxy));
  let way: Way | undefined;
  try {
    way = await wayToCluster(options, env);
    const { transport, isInPod } = way;
    return await examine(options, shell, {
      kube: createKube({ transport, clock, ...LIMITS }),
      transport,
      clock,
      signal,
      isInPod,
      version: version(),
      namespace: options.namespace,
      configPath: options.config,
      env,
      cloudOf: ({ config }, { namespace, isNamed }) =>
        cloudReadingOf(config, { clock, env, isInPod, isNamed, namespace, proxy }),
    });
  } catch (error) {
    if (!(error instanceof KubeconfigError)) throw error;
    err(`knative-eip: ${error.message}\n`);
    return EXIT.notRun;
  } finally {
    dispose();
    undo?.();
    await way?.close();
  }
};

const whyNobodyAnswers = ({ answers: { apiServer, definitions } }: Facts): string | undefined =>
  apiServer.known || definitions.known ? undefined : apiServer.why;

const examine = async (options: DoctorOptions, shell: Shell, wanted: FactsWanted): Promise<number> => {
  const { out, err, columns, env } = shell;
  const read = await readFacts(wanted);
  const silence = 'silence' in read ? read.silence : whyNobodyAnswers(read.facts);
  if ('silence' in read || silence !== undefined) {
    err(`knative-eip: the cluster cannot be asked: ${plain(silence ?? '')}\n`);
    return EXIT.notRun;
  }
  const diagnosis = diagnose(read.facts);
  const { findings, unasked, well, made } = diagnosis;
  const { version: of, namespace } = read.facts;
  // Standard output is the bundle's then.
  const say = options.bundle === '-' ? err : out;
  if (options.output === 'json')
    say(`${JSON.stringify({ version: of, namespace, made, findings, notAsked: unasked, well }, undefined, 2)}\n`);
  else say(diagnosisText(diagnosis, read.facts, columns ?? WIDTH));
  if (options.bundle !== undefined) {
    const hashKey = options.redact ? random.uuid() : undefined;
    const bundle = await supportBundle(wanted, { read, diagnosis, nodeVersion: nodeVersion(), env, hashKey });
    if (options.bundle === '-') out(bundle);
    else {
      writeFileSync(options.bundle, bundle, { mode: 0o600 });
      err(`The support bundle, without secrets; read it before you send it: ${options.bundle}\n`);
    }
  }
  return findings.some(({ severity }) => severity === 'error') ? EXIT.error : EXIT.well;
};
