import type { NamedAnswer, NamedProduct } from '../cloud/named-answer.ts';
import type { Clock } from '../lib/clock.ts';

/**
 * Sends one call as it is, `query` being flat (`Tag.1.Key`). Rejects only with the reason of the abort, before
 * anything is sent; whatever the cloud or the network does is a NamedAnswer.
 */
export type ProbeApi = (
  product: NamedProduct,
  action: string,
  query: Readonly<Record<string, string>>,
) => Promise<NamedAnswer>;

/** All that a probe touches of the world. */
export interface ProbePorts {
  readonly api: ProbeApi;
  /** The same with credentials that may do nothing; undefined where none were given. */
  readonly denied?: ProbeApi | undefined;
  /** Has STS give new credentials; resolves to why it did not, in words. Undefined where they are not from STS. */
  readonly renew?: (() => Promise<string | undefined>) | undefined;
  readonly clock: Clock;
  /** Whether a host answers TLS at port 443 with a certificate that is trusted. Never rejects. */
  readonly reaches: (host: string) => Promise<boolean>;
  /** One line for people. */
  readonly say: (line: string) => void;
}

/** Where the run takes place: what exists already and may be used. */
export interface Site {
  readonly region: string;
  readonly vSwitchId: string;
  readonly securityGroupId: string;
  /** A bandwidth package that EIPs may join for a moment. */
  readonly packageId: string | undefined;
  /** Whether container instances may be started. */
  readonly withEci: boolean;
  /** The image of the instances' one container, which must have `sleep`. */
  readonly image: string;
  /** The private address of a pod on a node; it is only looked for. */
  readonly podAddress: string | undefined;
  /** A trunk or member interface, at an address of which the EIP of the run is bound for a moment. */
  readonly networkInterfaceId: string | undefined;
  /** Whether it may take an hour more. */
  readonly isLong: boolean;
  /** The hosts where each API may be; empty where the configuration fixes them. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
}
