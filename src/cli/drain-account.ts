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
  /** Where people read why it goes on without an answer. */
  readonly err: (text: string) => void;
}

/** So many looks at other nodes: a cluster may have nodes in several VPCs. */
const MOST_LOOKS = 5;

/**
 * Makes sure that the credentials, the region and the VPC are those of the cluster's nodes, before anything is given
 * back: in another account every EIP looks as if it had been released, and the records of those that are still paid for
 * would go. Without the permission to list nodes, or to ask the cloud for them, it says so and goes on.
 *
 * @throws WrongAccount where they are not, or where the cloud does not say
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
