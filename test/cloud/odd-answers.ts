import type { ExecutionContext } from 'ava';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { decide } from '../../src/controllers/podeip/decide.ts';
import type { ObservedState, Settings } from '../../src/controllers/podeip/observation.ts';
import type { Step } from '../../src/controllers/podeip/step.ts';
import * as the from '../controllers/podeip/situation.ts';
import { CLUSTER_UID } from '../harness/settings.ts';
import { calls, cloud, eipPage, faultOf, server, wireEip } from './alicloud-fixture.ts';
import { refusal } from './rpc-server.ts';

/* What the adapter and the decision make of what the cloud says, for tests of answers that are strange or broken. */

/** DescribeEipAddresses cannot be read. */
export const isUnreadable = async (t: ExecutionContext, pages: Readonly<Record<string, object>>) => {
  for (const [say, page] of Object.entries(pages)) {
    server.play(() => page);
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, say);
  }
};

/** What the adapter reads of an EIP. */
export const reading = async (more: object = {}): Promise<Eip | null> => {
  server.play(() => eipPage([wireEip('eip-1', more)]));
  return (await cloud.describeEip('eip-1')) ?? null;
};

export const tagsOf = (tags: Readonly<Record<string, string>>) => ({
  Tags: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
});
export const OURS = tagsOf({ [TAG_CLUSTER_UID]: CLUSTER_UID, [TAG_PODEIP_UID]: 'podeip' });
export const NOBODYS = tagsOf({});
export const allocationID = 'eip-1';
export const bindings = [the.binding];
export const BOUND = {
  Status: 'InUse',
  InstanceId: 'eni-1',
  InstanceType: 'NetworkInterface',
  PrivateIpAddress: '10.0.0.2',
};

/** What is done about an EIP that was bought for a pod, once the cloud describes it so. */
export const doneAbout = async (
  more: object,
  seen: Partial<ObservedState> = {},
  situation: Partial<Settings> = {},
): Promise<Step> =>
  decide(
    the.seen({
      podEip: the.podEip({ allocationID, bindings }),
      interfaces: [the.eni()],
      tagged: [],
      eip: await reading(more),
      ...seen,
    }),
    { ...the.settings, ...situation },
  );

/** What a pod is told that names an existing EIP which the cloud describes so. */
export const toldOf = async (more: object, situation: Partial<Settings> = {}): Promise<Step> =>
  decide(
    the.seen({
      pod: the.pod({ annotations: the.EXISTING }),
      podEip: the.podEip({ request: the.existing }),
      competitors: [],
      namespace: null,
      eip: await reading({ ...NOBODYS, ...more }),
    }),
    { ...the.settings, ...situation },
  );

/** The fault that an error answer to this action becomes. */
export const refused = async (action: string, code: string, status = 400) => {
  server.play(refusal(status, code));
  const call = calls[action];
  if (!call) throw new Error(`there is no action ${action}`);
  return faultOf(call(cloud));
};
