import test from 'ava';
import { ALLOCATED_ADDRESS, BINDINGS, READINESS_GATE } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { Stage, type Wire } from './stage.ts';

/*
 * How the cloud calls what an EIP at a container instance is bound to, by the ID of the interface or of the instance,
 * is not documented. It wants to hear the same when the EIP is to be detached.
 */

interface WireEip {
  InstanceId: string;
  InstanceType: string;
  PrivateIpAddress: string;
}
interface WireInterface {
  InstanceId: string;
}

/** A cloud that says `eci-…`. `isInstanceShown`: DescribeNetworkInterfaces shows which instance has the interface. */
const byInstance =
  ({ withAddress, isInstanceShown }: { readonly withAddress: boolean; readonly isInstanceShown: boolean }): Wire =>
  (send, cloud) => {
    const groupOf = (eni: string) => cloud.containerGroups().find(({ eniInstanceId }) => eniInstanceId === eni);
    return async (params, request, runtime) => {
      const query = { ...request.query };
      if (params.action === 'UnassociateEipAddress') {
        const group = cloud.containerGroups().find(({ containerGroupId }) => containerGroupId === query['InstanceId']);
        const isTold = group !== undefined && query['InstanceType'] === 'EcsInstance';
        query['InstanceId'] = isTold ? group.eniInstanceId : `not-${String(query['InstanceId'])}`;
        query['InstanceType'] = 'NetworkInterface';
      }
      const answer = await send(params, { ...request, query }, runtime);
      const body = answer.body as {
        EipAddresses?: { EipAddress: WireEip[] };
        NetworkInterfaceSets?: { NetworkInterfaceSet: WireInterface[] };
      };
      for (const eip of body.EipAddresses?.EipAddress ?? []) {
        const group = groupOf(eip.InstanceId);
        if (!group) continue;
        eip.InstanceId = group.containerGroupId;
        eip.InstanceType = 'EcsInstance';
        eip.PrivateIpAddress = withAddress ? (group.intranetIp ?? '') : '';
      }
      if (!isInstanceShown)
        for (const eni of body.NetworkInterfaceSets?.NetworkInterfaceSet ?? [])
          if (eni.InstanceId.startsWith('eci-')) eni.InstanceId = '';
      return answer;
    };
  };

const GATED = { readinessGates: [{ conditionType: READINESS_GATE }] };
const isReady = (stage: Stage, name: string) => async () => (await stage.condition(name, 'Ready')) === 'True';

for (const withAddress of [false, true])
  for (const isInstanceShown of [true, false]) {
    const said = `${withAddress ? 'with' : 'without'} address, ${isInstanceShown ? 'the instance is' : 'no instance is'} shown`;

    test(`an EIP that is described by the instance is known again, and detached in those words: ${said}`, async (t) => {
      const stage = await Stage.create({ operating: true, wire: byInstance({ withAddress, isInstanceShown }) });
      stage.cloud.world.addEip({ allocationId: 'eip-1', ipAddress: '47.1.1.1' });
      await stage.runPod('web', { 'k8s.aliyun.com/eci-eip-instanceid': 'eip-1' }, GATED);
      t.true((await stage.until(isReady(stage, 'web'))) < 40_000);
      t.is((await stage.pod('web'))?.metadata.annotations?.[ALLOCATED_ADDRESS], '47.1.1.1');
      const group = stage.group?.containerGroupId;
      const [binding] = JSON.parse((await stage.podEip('web'))?.metadata.annotations?.[BINDINGS] ?? '[]') as object[];
      t.like(binding, { described: { instanceId: group, instanceType: 'EcsInstance' } });
      // It is given up while the pod goes on: nothing but the controller detaches it.
      const detached = () => stage.cloud.ledger().filter(({ action }) => action === 'UnassociateEipAddress');
      await stage.kube.patch(
        POD,
        { namespace: 'default', name: 'web' },
        { type: 'merge', body: { metadata: { annotations: { 'k8s.aliyun.com/eci-eip-instanceid': null } } } },
      );
      t.true((await stage.until(() => stage.cloud.eips()[0]?.status === 'Available', 90_000)) < 60_000);
      t.is(detached().length, 1);
      t.true((await stage.until(async () => !(await stage.podEip('web')), 90_000)) < 60_000);
      await stage.stop();
    });

    test(`an EIP that was bought first and came with the instance is recognized: ${said}`, async (t) => {
      const stage = await Stage.create({ operating: true, wire: byInstance({ withAddress, isInstanceShown }) });
      await stage.runPod('web', { 'k8s.aliyun.com/eci-with-eip': 'true', 'k8s.aliyun.com/eip-name': 'shop' }, GATED);
      t.true((await stage.until(isReady(stage, 'web'))) < 40_000);
      await stage.deletePod('web');
      t.true((await stage.until(() => stage.cloud.eips().length === 0, 120_000)) < 90_000);
      t.deepEqual(stage.cloud.containerGroups(), []);
      await stage.stop();
    });
  }
