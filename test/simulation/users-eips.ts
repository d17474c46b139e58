import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import { USERS_EIPS } from './script.ts';

/** What of an EIP is its owner's: all but the binding and what comes with it. */
const plain = ({ task: _task, binding: _binding, status: _status, ...eip }: EipRecord): string =>
  JSON.stringify({ ...eip, tags: [...eip.tags] });

/** I3 at the end: the users' EIPs are as their users left them. */
export class UsersEips {
  readonly #cloud: EmbeddedCloud;
  /** As they are to be at the end. */
  readonly #eips = new Map<string, string>();

  constructor(cloud: EmbeddedCloud) {
    this.#cloud = cloud;
  }

  /** To be called once the world is complete. */
  begin(): void {
    for (const eip of this.#cloud.eips())
      if ((USERS_EIPS as readonly string[]).includes(eip.allocationId)) this.#eips.set(eip.allocationId, plain(eip));
  }

  has(allocationId: string): boolean {
    return this.#eips.has(allocationId);
  }

  /** Somebody who may do it has changed it. */
  onHuman(allocationId: string): void {
    if (!this.has(allocationId)) return;
    const eip = this.#cloud.eips().find((it) => it.allocationId === allocationId);
    if (eip) this.#eips.set(allocationId, plain(eip));
    else this.#eips.delete(allocationId);
  }

  /** What is wrong with them. */
  problem(): string | undefined {
    const eips = new Map(this.#cloud.eips().map((eip) => [eip.allocationId, eip]));
    for (const [id, before] of this.#eips) {
      const eip = eips.get(id);
      if (!eip) return `I3: ${id} is gone`;
      if (plain(eip) !== before) return `I3: ${id} was ${before} and is ${plain(eip)}`;
    }
    return undefined;
  }
}
