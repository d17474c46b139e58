import {
  ALLOCATED_ADDRESS,
  CONTROLLER,
  CONTROLLER_NAME,
  POOL_OFF_SINCE,
  POOL_WAS_OFF_SINCE,
} from '../../src/api/annotations.ts';
import type { Cloud } from '../../src/cloud/port.ts';
import type { Kube, KubeObject, Resource } from '../../src/kube/port.ts';
import { planMigration } from '../../src/migrate/plan.ts';
import { readInventory } from '../../src/migrate/read-inventory.ts';
import { switchedPool } from '../../src/migrate/terway.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { podEipSettings, VPC } from '../harness/settings.ts';
import { eipOf, podEipOf, podOf } from '../migrate/situations.ts';
import type { Drive } from './drive.ts';

/* Texts on the objects that a migration reads, whoever wrote them there. */

/** Every object of the cluster has the text wherever it may have one. */
const saying = (text: string) => {
  const metadata = { namespace: 'shop', name: 'a', uid: 'u', resourceVersion: '1', creationTimestamp: text };
  const told = podOf({ 'k8s.aliyun.com/pod-with-eip': 'true', [ALLOCATED_ADDRESS]: text }, { name: 'b' });
  const later = { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: '10m' } as const;
  const ours = podEipOf({ metadata: { name: 'c', annotations: { [CONTROLLER]: CONTROLLER_NAME } } });
  const objects: Readonly<Record<string, readonly object[]>> = {
    podeips: [ours, podEipOf({ spec: { allocationType: later }, status: { podLastSeen: text } })],
    pods: [
      told,
      podOf({}, { name: 'c', creationTimestamp: text }),
      { ...podOf(), metadata: { ...metadata, name: text } },
    ],
    leases: [{ metadata, spec: { holderIdentity: text, renewTime: text } }],
    deployments: [{ metadata: { ...metadata, name: text } }],
  };
  const configMaps = [{ [POOL_OFF_SINCE]: text }, { [POOL_WAS_OFF_SINCE]: text }, {}].map((annotations) => ({
    metadata: { ...metadata, annotations, managedFields: [{ time: text }] },
    data: { eni_conf: text },
  }));
  return configMaps.map((configMap) => ({
    list: ({ plural }: Resource<KubeObject>) => Promise.resolve(objects[plural] ?? []),
    get: ({ plural }: Resource<KubeObject>) => Promise.resolve(plural === 'configmaps' ? configMap : undefined),
  }));
};

const cloud: Partial<Cloud> = {
  describeEip: () => Promise.resolve(eipOf({ status: 'Available' })),
  findEipsByAddress: () => Promise.resolve(new Map()),
  findNetworkInterfaces: () => Promise.resolve([]),
  findNetworkInterfacesOfMany: () => Promise.resolve(new Map()),
};

export const MIGRATION_DRIVES: Readonly<Record<string, Drive>> = {
  'what a migration finds': async (text) => {
    for (const kube of saying(text))
      for (const from of ['terway', 'ack-extend-network-controller'] as const) {
        const inventory = await readInventory(
          {
            kube: kube as unknown as Kube,
            cloud: cloud as Cloud,
            clock,
            from,
            vouchedFor: new Set<string>(),
            settings: podEipSettings(),
            vpcId: VPC,
            ownLease: { namespace: 'shop', name: 'knative-eip' },
          },
          new AbortController().signal,
        );
        for (const isRollBack of [false, true]) planMigration(inventory, isRollBack);
      }
  },
  "Terway's configuration to be switched": (text) => [
    switchedPool(text, 'off'),
    switchedPool(`"enable_eip_pool": ${text}`, 'on'),
  ],
};
