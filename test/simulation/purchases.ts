import { TAG_PODEIP_UID, TAG_POD } from '../../src/api/annotations.ts';
import type { CloudChange } from '../../src/sandbox/cloud/ledger.ts';

/** For whom an EIP was bought. */
interface Buyer {
  readonly podEipUid: string;
  /** `namespace/name` */
  readonly pod: string;
}

/** For whom EIPs were bought, by the calls that bought them: their tags may have been dropped on the way. */
export class Purchases {
  readonly #asked = new Map<string, Buyer>();
  readonly #buyers = new Map<string, Buyer>();

  onCall(action: string, query: Readonly<Record<string, string>>): void {
    const { ClientToken } = query;
    if (action !== 'AllocateEipAddress' || ClientToken === undefined) return;
    const valueOf = (key: string): string => {
      const name = Object.keys(query).find((it) => it.endsWith('.Key') && query[it] === key);
      return query[name?.replace(/\.Key$/, '.Value') ?? ''] ?? '';
    };
    this.#asked.set(ClientToken, { podEipUid: valueOf(TAG_PODEIP_UID), pod: valueOf(TAG_POD) });
  }

  /** The change that AllocateEipAddress made. */
  onAllocate({ allocationId, clientToken = '' }: CloudChange): Buyer {
    const buyer = this.#asked.get(clientToken) ?? { podEipUid: '', pod: '' };
    this.#buyers.set(allocationId, buyer);
    return buyer;
  }

  buyerOf(allocationId: string): Buyer | undefined {
    return this.#buyers.get(allocationId);
  }
}
