import { isIPv4 } from 'node:net';
import type { Node } from '../../api/core.ts';
import { CloudFault } from '../../cloud/fault.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import type { Cloud } from '../../cloud/port.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { sleepUnlessAborted, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';

/*
 * Checks that credentials, region and VPC are those of the cluster. With the credentials of another account every EIP
 * would look as if it had been released: all would be bought again there, and the records of those that are still
 * charged would be dropped. The cluster's own nodes are the proof: they are instances of the account, in the VPC.
 *
 * One check at the beginning is enough. The sources of credentials are fixed when the process starts (cloud/
 * credential-source.ts), and renewed credentials are for the same RAM role, and so for the same account. The exceptions
 * are a profile file and a credentials URI, which can be changed while the process runs: whoever points them to another
 * account has to restart it.
 */

/** An ECS instance that is a node of the cluster. */
interface EcsNode {
  readonly name: string;
  readonly region: string;
  readonly instanceId: string;
  /** Its InternalIP. */
  readonly address: string;
}

/** What the nodes say about the configuration. */
type AccountVerdict =
  | { readonly kind: 'fits' }
  /** There is no ECS node that could prove anything: all nodes are virtual, of other providers, or not ready. */
  | { readonly kind: 'noNodeToCompare' }
  | { readonly kind: 'otherRegion'; readonly nodes: readonly EcsNode[] }
  /** The nodes are instances of this account, in other VPCs. */
  | { readonly kind: 'otherVpc'; readonly nodes: readonly EcsNode[]; readonly vpcIds: readonly string[] }
  /** None of the nodes is an instance of this account. */
  | { readonly kind: 'otherAccount'; readonly nodes: readonly EcsNode[] };

/**
 * The number of nodes that one check asks about: one that is found is enough, and one may have been deleted a moment
 * ago.
 */
const MOST_NODES = 3;
/** Interval between checks until one succeeds, milliseconds: short, so that an operator soon sees a correction work. */
const LOOK_MS = 30_000;
/** Waits between checks that the cloud does not answer, milliseconds. */
const BACKOFF = { baseMs: 1_000, capMs: 30_000 };

/**
 * `cn-hangzhou.i-…` or `alicloud://cn-hangzhou.i-…` (kubernetes/cloud-provider-alibaba-cloud, NodeFromProviderID: "The
 * format of REGION.NODEID").
 */
const ECS = /^(?:alicloud:\/\/)?(?<region>[a-z0-9-]{1,60})\.(?<instanceId>i-[a-z0-9-]{1,60})$/iu;

/** Codes of a RAM policy that does not allow the action (OpenAPI portal, common error codes; RAM user guide). */
const DENIED = /^(?:Forbidden|Forbbiden|Forbidden\.SubUser|UnauthorizedOperation)$|^(?:Forbidden\.RAM|NoPermission)/u;

/**
 * Codes of a 403 that is about something other than permissions: credentials, region or account. All other codes, known
 * or not, count as a missing permission: RAM has more codes for that than its documentation lists.
 */
const NOT_DENIED =
  /^(?:InvalidAccessKeyId|InvalidSecurityToken|MissingSecurityToken|InvalidCredentials|Signature|IncompleteSignature|InvalidTimeStamp|InvalidRegionId|Forbidden\.RegionNotFound|ServiceNotEnabled)/u;

/** The nodes that can prove something, by name: ECS instances that are ready and have an IPv4 address. */
export const ecsNodesOf = (nodes: Iterable<Node>): readonly EcsNode[] =>
  [...nodes]
    .flatMap(({ metadata: { name }, spec, status }): EcsNode[] => {
      const { region, instanceId } = ECS.exec(spec?.providerID ?? '')?.groups ?? {};
      const address = status?.addresses?.find((it) => it.type === 'InternalIP' && isIPv4(it.address))?.address;
      const isReady = status?.conditions?.some((it) => it.type === 'Ready' && it.status === 'True') === true;
      if (region === undefined || instanceId === undefined || address === undefined || !isReady) return [];
      return [{ name, region, instanceId, address }];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** What a check needs. */
interface AccountQuestion {
  readonly cloud: Pick<Cloud, 'networkInterfacesOf'>;
  readonly region: string;
  readonly vpcId: string;
  readonly nodes: () => Iterable<Node>;
}

/**
 * Asks the cloud for up to three nodes. `turn` selects others each time: a cluster may have nodes in several VPCs, and
 * one in the right VPC is enough. Nodes of other regions count only if there are no others.
 *
 * @throws CloudFault if no node was found and the cloud did not answer for each of them
 */
export const evaluateAccount = async (
  { cloud, region, vpcId, nodes }: AccountQuestion,
  turn: number,
  signal?: AbortSignal,
): Promise<AccountVerdict> => {
  const all = ecsNodesOf(nodes());
  if (all.length === 0) return { kind: 'noNodeToCompare' };
  const here = all.filter((node) => node.region === region);
  if (here.length === 0) return { kind: 'otherRegion', nodes: all.slice(0, MOST_NODES) };
  const first = (turn * MOST_NODES) % here.length;
  const tried = [...here.slice(first), ...here.slice(0, first)].slice(0, MOST_NODES);
  const elsewhere = new Set<string>();
  let fault: CloudFault | undefined;
  for (const node of tried) {
    try {
      const found = await cloud.networkInterfacesOf(node.instanceId, signal);
      if (found.some((eni) => eni.vpcId === vpcId)) return { kind: 'fits' };
      for (const eni of found) elsewhere.add(eni.vpcId);
    } catch (error) {
      if (!(error instanceof CloudFault)) throw error;
      fault ??= error;
    }
  }
  if (fault) throw fault;
  return elsewhere.size > 0
    ? { kind: 'otherVpc', nodes: tried, vpcIds: [...elsewhere].toSorted() }
    : { kind: 'otherAccount', nodes: tried };
};

/** Whether an answer says that the RAM policy does not allow the action. */
export const isDenial = ({ code, status }: Pick<CloudFault, 'code' | 'status'>): boolean =>
  DENIED.test(code) || (status === 403 && !NOT_DENIED.test(code));

/** Whether the RAM policy does not allow the question itself. */
export const isQuestionDenied = (fault: CloudFault): boolean =>
  FAULT[fault.kind].isOfSetup && fault.action === 'DescribeNetworkInterfaces' && isDenial(fault);

/** What is wrong and what to check; undefined if nothing is. */
export const complaintOf = (
  verdict: AccountVerdict,
  { region, vpcId }: Pick<AccountQuestion, 'region' | 'vpcId'>,
): string | undefined => {
  if (verdict.kind === 'otherRegion')
    return `The nodes of this cluster are in ${[...new Set(verdict.nodes.map((node) => node.region))].join(', ')} (${listed(verdict.nodes)}), but regionID is ${region}: correct regionID`;
  if (verdict.kind === 'otherAccount')
    return `None of the nodes ${listed(verdict.nodes)} is an instance of the account of these credentials in ${region}: check that the AccessKey or RAM role belongs to the account of the cluster (cloud.checkAccount: false in the configuration leaves this out)`;
  if (verdict.kind === 'otherVpc')
    return `The nodes ${listed(verdict.nodes)} are in ${verdict.vpcIds.join(', ')}, but vpcID is ${vpcId}: correct vpcID`;
  return undefined;
};

/** The same for users of pods, who must not learn anything about the account. */
const whatIsWrong = ({ kind }: AccountVerdict): string => {
  const what =
    kind === 'otherRegion'
      ? 'regionID is not the region'
      : kind === 'otherVpc'
        ? 'vpcID is not the VPC'
        : 'credentials are not of the account';
  return `no pod gets an address: knative-eip’s ${what} of this cluster; whoever operates it has to correct that (alert KnativeEipWrongAccount)`;
};

const listed = (nodes: readonly EcsNode[]): string =>
  nodes.map(({ name, instanceId, address }) => `${name} (${instanceId}, ${address})`).join(', ');

export interface AccountParts extends AccountQuestion {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called with whether the account is known to be wrong, for metrics and health checks. */
  readonly mismatched: (isMismatched: boolean) => void;
  /** Called with the reason why no work begins, for the users of waiting pods; undefined once it does. */
  readonly hindered: (why: string | undefined) => void;
}

/**
 * Resolves once work may begin: to `fits`, or to what prevented the check: `noNodeToCompare`, `denied` (the permission
 * is missing) or `refused` (the credentials are). Until then it repeats the check, and reports each problem once. If
 * the cloud does not answer, nothing is proved, and the check is repeated. A missing permission is reported and does
 * not prevent the work, because installations from before this check do not have it. Rejects with the signal's reason
 * when it aborts.
 */
export const awaitAccount = async (
  parts: AccountParts,
  signal: AbortSignal,
): Promise<'fits' | 'noNodeToCompare' | 'denied' | 'refused'> => {
  const { clock, random, log, region, vpcId, mismatched, hindered } = parts;
  let said = '';
  const say = (key: string, tell: () => void) => {
    if (said !== key) tell();
    said = key;
  };
  for (let turn = 0, failures = 0; ; turn += 1) {
    signal.throwIfAborted();
    let waitMs = LOOK_MS;
    try {
      const verdict = await evaluateAccount(parts, turn, signal);
      failures = 0;
      const complaint = complaintOf(verdict, parts);
      mismatched(complaint !== undefined);
      if (verdict.kind === 'fits' || verdict.kind === 'noNodeToCompare') {
        hindered(undefined);
        if (said !== '') log.info({ regionID: region, vpcID: vpcId }, 'Account, region and VPC: work begins');
        return verdict.kind;
      }
      hindered(whatIsWrong(verdict));
      say(verdict.kind, () =>
        log.error(
          { regionID: region, vpcID: vpcId, nodes: verdict.nodes },
          `${complaint}. Nothing is bought, bound or released until it fits; it is looked at every ${LOOK_MS / 1_000} s`,
        ),
      );
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!(error instanceof CloudFault)) throw error;
      const fields = { kind: error.kind, code: error.code, action: error.action };
      if (isQuestionDenied(error)) {
        log.warn(
          fields,
          `Whether the credentials are of the cluster’s account and vpcID is its VPC cannot be checked, and pods will get no address, without this permission: ${error.message}`,
        );
        mismatched(false);
        hindered(undefined);
        return 'denied';
      }
      if (FAULT[error.kind].isOfSetup) {
        // Reported elsewhere: with refused credentials every call fails and the pods are told, and no change is sent
        // meanwhile.
        hindered(undefined);
        log.warn(
          fields,
          `Whether the credentials are of the cluster’s account cannot be seen, because they are refused, or cannot be used; nothing is bought, bound or released before, and it is looked at again: ${error.message}`,
        );
        return 'refused';
      }
      // A single failure is not reported, because the next attempt follows soon.
      if (failures > 0)
        hindered(
          `no pod gets an address yet: whether knative-eip’s credentials are of this cluster’s account cannot be seen (${error.action}: ${error.code}); it is asked again and again`,
        );
      say(`${error.kind} ${error.code}`, () =>
        log.warn(
          fields,
          `Whether the credentials are of the cluster’s account cannot be seen; nothing is begun before (retrying; cloud.checkAccount: false in the configuration leaves this out): ${error.message}`,
        ),
      );
      waitMs = backoffMs(BACKOFF, failures, random);
      failures += 1;
    }
    await clock.sleep(waitMs, signal);
  }
};

/** After work had begun, the account, the region or the VPC turned out not to be the cluster's. */
export class WrongAccount extends Error {
  override readonly name = 'WrongAccount';
}

/**
 * Repeats the check after work has begun without it, in a cluster without ECS nodes or with refused credentials, until
 * it succeeds or nobody may be asked. An EIP counts as released only after a minute without a break, so that a check
 * always comes first.
 *
 * @throws WrongAccount if the account does not fit: only a new process, which waits, is safe then
 */
export const watchAccount = async (
  parts: AccountParts & {
    /** Called once the cloud has answered and nothing contradicts the account. */
    readonly answered: () => void;
  },
  signal: AbortSignal,
): Promise<void> => {
  const { clock, log, mismatched } = parts;
  for (let turn = 0; !signal.aborted; turn += 1) {
    await sleepUnlessAborted(clock, LOOK_MS, signal);
    if (signal.aborted) return;
    try {
      const verdict = await evaluateAccount(parts, turn, signal);
      const complaint = complaintOf(verdict, parts);
      mismatched(complaint !== undefined);
      if (complaint !== undefined) throw new WrongAccount(complaint);
      parts.answered();
      if (verdict.kind === 'fits') return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CloudFault)) throw error;
      if (isQuestionDenied(error)) return parts.answered();
      log.debug({ kind: error.kind, code: error.code }, `The account cannot be checked: ${error.message}`);
    }
  }
};
