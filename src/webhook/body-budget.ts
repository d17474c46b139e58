/** A body that is being received. */
interface Body {
  /** Counts what has come, and returns the bytes of this body so far. */
  received(bytes: number): number;
  /** Whether it was given up, because others need the room. */
  isTooMuch(): boolean;
  /** Nothing of it is kept any more. */
  end(): void;
}

/** Limits the bytes of all bodies that are being received at the same time. */
export interface BodyBudget {
  /**
   * @param giveUp called at once, and once, when the body is given up: what was kept of it is to be dropped then,
   *   because its sender may never send another byte
   */
  begin(address: string, giveUp: () => void): Body;
}

interface Receiving {
  readonly address: string;
  readonly giveUp: () => void;
  bytes: number;
  isGivenUp: boolean;
}

const sumOf = (bodies: readonly Receiving[]): number => bodies.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * Where there is more than `most` bytes, bodies of the address that has sent most of them are given up, the largest
 * first: whoever sends much, or slowly, takes the room from themselves and from nobody else.
 */
export const createBodyBudget = (most: number): BodyBudget => {
  const all = new Set<Receiving>();

  const makeRoom = () => {
    for (;;) {
      const kept = [...all].filter(({ isGivenUp }) => !isGivenUp);
      if (sumOf(kept) <= most) return;
      const ofAddress = [...Map.groupBy(kept, ({ address }) => address).values()];
      const [greatest = []] = ofAddress.toSorted((a, b) => sumOf(b) - sumOf(a));
      const [largest] = greatest.toSorted((a, b) => b.bytes - a.bytes);
      if (!largest) return;
      largest.isGivenUp = true;
      largest.giveUp();
    }
  };

  return {
    begin: (address, giveUp) => {
      const body: Receiving = { address, giveUp, bytes: 0, isGivenUp: false };
      all.add(body);
      return {
        received: (bytes) => {
          body.bytes += bytes;
          makeRoom();
          return body.bytes;
        },
        isTooMuch: () => body.isGivenUp,
        end: () => void all.delete(body),
      };
    },
  };
};
