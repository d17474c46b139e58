import { allocationProbes, longProbes, releaseProbes } from './allocation-probes.ts';
import { bindingProbes, interfaceProbes } from './binding-probes.ts';
import { clean } from './clean.ts';
import { denialProbes } from './denial-probes.ts';
import { endpointProbes } from './endpoint-probe.ts';
import { instanceProbes } from './instance-probes.ts';
import { AskFailed, Lab } from './lab.ts';
import type { Mark } from './run-mark.ts';
import { packageProbes } from './package-probes.ts';
import type { ProbeApi, ProbePorts, Site } from './port.ts';
import { notAsked, type Need, type Observation, type Probe, type Verdict } from './probe.ts';

/** Every question, in the order in which they are put: each stands on what those before have made. */
const PROBES: readonly Probe[] = [
  ...endpointProbes,
  ...allocationProbes,
  ...interfaceProbes,
  ...denialProbes,
  ...bindingProbes,
  ...packageProbes,
  ...instanceProbes,
  ...releaseProbes,
  ...longProbes,
];

/** What came of one question. */
export interface ProbeFinding {
  readonly id: string;
  readonly assumption: string;
  readonly verdict: Verdict;
  readonly observation: Observation;
}

/** Why a question is not put, where something was not given. */
const lackOf = ({ site, ports }: Lab, needs: readonly Need[]): string | undefined => {
  const lacks: Readonly<Record<Need, string | undefined>> = {
    eci: site.withEci ? undefined : 'it needs --eci',
    package: site.packageId === undefined ? 'it needs --package' : undefined,
    podAddress: site.podAddress === undefined ? 'it needs --pod-address' : undefined,
    eni: site.networkInterfaceId === undefined ? 'it needs --eni' : undefined,
    long: site.isLong ? undefined : 'it needs --long',
    denied: ports.denied ? undefined : 'it needs credentials that may do nothing, in the environment',
    sts: ports.renew ? undefined : 'the credentials are not those of RRSA',
    hosts: Object.keys(site.hosts).length > 0 ? undefined : 'the configuration fixes the endpoints',
  };
  return needs.map((need) => lacks[need]).find((lack) => lack !== undefined);
};

const put = async ({ id, assumption, needs, ask }: Probe, lab: Lab): Promise<ProbeFinding> => {
  const lack = lackOf(lab, needs);
  if (lack !== undefined) return { id, assumption, verdict: notAsked(lack), observation: {} };
  try {
    return { id, assumption, ...(await ask(lab)) };
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    return { id, assumption, verdict: notAsked(error.message), observation: {} };
  }
};

/** What a run has shown, and what of it is left in the account. */
export interface Run {
  readonly findings: readonly ProbeFinding[];
  readonly left: readonly string[];
  /** Why it ended before the last question. */
  readonly stopped: string | undefined;
}

/**
 * Puts every question, and gives everything back whatever happens. `signal` ends it between two calls; what it has made
 * is given back all the same.
 */
export const runProbes = async (
  { ports, site, mark }: { readonly ports: ProbePorts; readonly site: Site; readonly mark: Mark },
  onFinding: (finding: ProbeFinding) => void,
  signal?: AbortSignal,
): Promise<Run> => {
  const findings: ProbeFinding[] = [];
  let stopped: string | undefined;
  const { clock } = ports;
  const until =
    (api: ProbeApi): ProbeApi =>
    async (...call) => {
      signal?.throwIfAborted();
      return api(...call);
    };
  const lab = new Lab(
    {
      ...ports,
      api: until(ports.api),
      denied: ports.denied && until(ports.denied),
      // Some waits are of half an hour.
      clock: {
        now: () => clock.now(),
        mono: () => clock.mono(),
        timer: (ms, fire) => clock.timer(ms, fire),
        sleep: (ms) => clock.sleep(ms, signal),
      },
    },
    site,
    mark,
  );
  try {
    for (const one of PROBES) {
      const finding = await put(one, lab);
      findings.push(finding);
      onFinding(finding);
    }
  } catch (error) {
    stopped = error instanceof Error ? error.message : String(error);
  }
  ports.say('Giving everything back');
  const left = await clean({ ports, mark, region: site.region, withEci: site.withEci });
  return { findings, left, stopped };
};
