import { NODE } from '../api/core.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Cloud } from '../cloud/port.ts';
import type { Config } from '../config/schema.ts';
import { complaintOf, isQuestionDenied, evaluateAccount, WrongAccount } from '../controllers/preflight/account.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';

interface DrainAccountParts {
  readonly config: Pick<Config, 'regionID' | 'vpcID'>;
  readonly kube: Kube;
  readonly cloud: Cloud;
  /** Tells the user why the drain goes on without an answer. */
  readonly err: (text: string) => void;
}

/** The number of nodes that are tried: a cluster may have nodes in several VPCs. */
const MOST_LOOKS = 5;

/**
 * Checks that credentials, region and VPC are those of the cluster's nodes, before anything is given back. In another
 * account every EIP would look as if it had been released, and the PodEIPs of EIPs that are still charged would be
 * deleted. Without the permission to list nodes, or to ask the cloud for them, it says so and goes on.
 *
 * @throws WrongAccount if they are not, or if the cloud does not say
 */
export const checkAccount = async (
  { config, kube, cloud, err }: DrainAccountParts,
  signal: AbortSignal,
): Promise<void> => {
  const unchecked = (why: string) =>
    err(`Whether the credentials and vpcID are those of the cluster cannot be checked: ${why}\n`);
  try {
    const all = await kube.list(NODE, {}, signal);
    const question = { cloud, region: config.regionID, vpcId: config.vpcID, nodes: () => all };
    let complaint: string | undefined;
    for (let turn = 0; turn < MOST_LOOKS; turn += 1) {
      complaint = complaintOf(await evaluateAccount(question, turn, signal), question);
      if (complaint === undefined) return;
    }
    throw new WrongAccount(complaint);
  } catch (error) {
    if (error instanceof KubeFault && error.kind === 'forbidden') unchecked(error.message);
    else if (error instanceof CloudFault && isQuestionDenied(error)) unchecked(error.message);
    else if (error instanceof CloudFault)
      throw new WrongAccount(
        `Whether the credentials and vpcID are those of the cluster cannot be seen, run the same command again: ${error.message}`,
      );
    else throw error;
  }
};
