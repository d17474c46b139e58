import { isIPv4 } from 'node:net';

const toNumber = (address: string): number =>
  address.split('.').reduce((number, part) => number * 256 + Number(part), 0);

const toAddress = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

/** A vSwitch: a zone's part of a VPC, which hands out private addresses. */
export class VSwitch {
  readonly vSwitchId: string;
  readonly vpcId: string;
  readonly zoneId: string;
  readonly #first: number;
  readonly #count: number;
  #next = 0;

  /** @throws RangeError for a prefix that is none, or longer than /29, as VPC has it */
  constructor(vSwitch: { vSwitchId: string; vpcId: string; zoneId: string; cidrBlock: string }) {
    const [address = '', bits = ''] = vSwitch.cidrBlock.split('/');
    if (!isIPv4(address) || !/^\d+$/.test(bits) || Number(bits) < 8 || Number(bits) > 29)
      throw new RangeError(`${vSwitch.cidrBlock} is no prefix of a vSwitch, for example 10.1.0.0/16.`);
    this.vSwitchId = vSwitch.vSwitchId;
    this.vpcId = vSwitch.vpcId;
    this.zoneId = vSwitch.zoneId;
    const size = 2 ** (32 - Number(bits));
    // The first and the last three addresses are the cloud's (VPC, "VPC and vSwitch", IP addresses).
    this.#first = Math.floor(toNumber(address) / size) * size + 1;
    this.#count = size - 4;
  }

  /** The next address that nobody holds, or undefined. Addresses that were given back come round last. */
  take(isHeld: (address: string) => boolean): string | undefined {
    for (let tries = 0; tries < this.#count; tries++) {
      const address = toAddress(this.#first + this.#next);
      this.#next = (this.#next + 1) % this.#count;
      if (!isHeld(address)) return address;
    }
    return undefined;
  }
}
