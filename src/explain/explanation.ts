import type { FindingId, Severity } from '../api/finding.ts';
import type { Certainty } from '../request/target.ts';

/** What will happen to one workload of a manifest. Plain data: this is also what `-o json` prints. */
export interface Explanation {
  readonly workload: {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly file: string;
    readonly line: number;
  };
  /** `nothing`: it asks for no address. `refused`: nothing is bought for it. */
  readonly verdict: 'nothing' | 'fine' | 'warned' | 'refused';
  readonly target: {
    readonly on: 'ecs' | 'eci' | 'acs' | 'unknown';
    readonly certainty: Certainty | 'none';
    readonly because: string;
  };
  /** How many pods at once; `most` is null where there is no bound. */
  readonly pods: { readonly least: number; readonly most: number | null };
  /** What happens, in its order, in sentences. */
  readonly steps: readonly string[];
  readonly calls: readonly CloudCall[];
  /** What the virtual node is told by annotations, where it makes the address. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly findings: readonly ExplainedFinding[];
  readonly cost: Cost | null;
}

/** A call to the cloud, in the words of its API. What is known only at run time stands in angle brackets. */
export interface CloudCall {
  readonly action: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

interface ExplainedFinding {
  readonly id: FindingId;
  readonly severity: Severity;
  readonly keys: readonly string[];
  readonly problem: string;
  readonly remedy: string;
  readonly docs: string;
}

/** By the price table of the configuration; amounts are of one month, in its currency. */
export interface Cost {
  readonly currency: string;
  /** Of one EIP, without traffic. */
  readonly perEip: number;
  readonly least: number;
  /** Null where the number of pods has no bound. */
  readonly most: number | null;
  /** Of a gigabyte that leaves, where traffic is paid for; null where it is not, or the table does not say. */
  readonly perGB: number | null;
}
