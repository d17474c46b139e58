import type { Account } from './cloud-account.ts';
import { refusal } from './refusal.ts';
import type { VSwitch } from './vswitch.ts';

/** The first vSwitch that has an address left, and that address. @throws Refusal */
export const takeAddress = (account: Account, ids: readonly string[]): { vSwitch: VSwitch; address: string } => {
  const vSwitches = ids.map((id) => {
    const vSwitch = account.vSwitches.get(id);
    if (!vSwitch) throw refusal('InvalidVSwitchId.NotFound', `VSwitchId: "${id}".`);
    return vSwitch;
  });
  for (const vSwitch of vSwitches) {
    const address = vSwitch.take((candidate) =>
      account.interfaces.holding(candidate).some(({ vpcId }) => vpcId === vSwitch.vpcId),
    );
    if (address !== undefined) return { vSwitch, address };
  }
  throw refusal('InvalidVSwitchId.IpNotEnough');
};
