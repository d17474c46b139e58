import type { PodEip } from '../../src/api/podeip.ts';
import { latestBinding, readRecord } from '../../src/controllers/podeip/record.ts';
import type { CloudChange } from '../../src/sandbox/cloud/ledger.ts';
import type { Oracle } from './oracle.ts';

/** What one process has asked for one binding. */
interface Calls {
  readonly allocationId: string;
  accepted: number;
  /** Whether a call may have had another fate than its sender knows. */
  isDisturbed: boolean;
}

/**
 * I21: an EIP is never associated more than once per binding. Of the calls of one process for one PodEIP, private
 * address and network interface, none of which went wrong, the cloud says OK to one: a second one says that the first
 * had no effect.
 */
export class Associations {
  readonly #oracle: Oracle;
  readonly #broken: (said: string) => void;
  readonly #calls = new Map<string, Calls>();

  constructor(oracle: Oracle, broken: (said: string) => void) {
    this.#oracle = oracle;
    this.#broken = broken;
  }

  /** A controller's call has reached the cloud, or something has happened to it on its way. */
  onCall(sender: string, query: Readonly<Record<string, string>>, fate: 'OK' | 'disturbed'): void {
    const { AllocationId: allocationId = '', InstanceId: eni = '', PrivateIpAddress: address = '' } = query;
    const podEip = this.#ownerOf(allocationId, eni, address);
    if (!podEip) return;
    const key = [podEip.metadata.uid, eni, address, sender].join(' ');
    const calls = this.#calls.get(key) ?? { allocationId, accepted: 0, isDisturbed: false };
    this.#calls.set(key, calls);
    if (fate === 'disturbed') calls.isDisturbed = true;
    else calls.accepted += 1;
    if (calls.accepted > 1 && !calls.isDisturbed)
      this.#broken(
        `AssociateEipAddress of ${allocationId} at ${address} for ${podEip.metadata.name} was answered OK ${calls.accepted} times`,
      );
  }

  /**
   * What was bound is not any more: the next call is for another binding. It may still be the repetition of one whose
   * sender got no answer, and the cloud then says OK to its token once more, and binds nothing.
   */
  onChange({ action, allocationId }: CloudChange): void {
    if (action === 'AssociateEipAddress') return;
    for (const calls of this.#calls.values()) if (calls.allocationId === allocationId) calls.accepted = 0;
  }

  #ownerOf(allocationId: string, networkInterfaceId: string, privateIpAddress: string): PodEip | undefined {
    return [...this.#oracle.podEips.values()].find((podEip) => {
      const binding = latestBinding(readRecord(podEip));
      return (
        podEip.spec.allocationID === allocationId &&
        binding?.networkInterfaceId === networkInterfaceId &&
        binding.privateIpAddress === privateIpAddress
      );
    });
  }
}
