import test from 'ava';
import type { ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import { Stage } from './stage.ts';

/*
 * What a tenant writes on his pod chooses no identity, network, data or money of the account (finding C2 of a review:
 * one pod was sent with another's RAM role, security group, vSwitch, disk, image cache and resource group).
 */

const K8S = 'k8s.aliyun.com/';
const ANNOTATIONS = {
  [`${K8S}eci-ram-role-name`]: 'AdminRole',
  [`${K8S}eci-security-group`]: 'sg-prod-wideopen',
  [`${K8S}eci-vswitch`]: 'vsw-databases',
  [`${K8S}eci-resource-group-id`]: 'rg-finance',
  [`${K8S}eci-use-specs`]: 'ecs.gn7i-c128g1.32xlarge',
  [`${K8S}eci-extra-ephemeral-storage`]: '2000Gi',
  [`${K8S}eci-imc-id`]: 'imc-ofvictim',
  [`${K8S}eci-auto-imc`]: 'true',
  [`${K8S}eci-custom-tags`]: 'owner:team-b',
};
const VOLUMES = [
  { name: 'disk', flexVolume: { driver: 'alicloud/disk', options: { volumeId: 'd-victimsdisk' } } },
  { name: 'share', nfs: { server: '10.0.0.66', path: '/' } },
];

const why = async (stage: Stage, name: string) => (await stage.pod(name))?.status?.message ?? '';
const made = (stage: Stage): ContainerGroupSpec => {
  const [spec] = stage.created;
  if (!spec) throw new Error('no instance was asked for');
  return spec;
};

test('a pod that chooses what nobody allows is not run, each choice by itself, and is told what to write', async (t) => {
  const stage = await Stage.create();
  const attacks: readonly (readonly [object: object, spec: object, field: RegExp])[] = [
    ...Object.entries(ANNOTATIONS).map(
      ([key, value]) => [{ [key]: value }, {}, new RegExp(`metadata\\.annotations\\[${key}\\]: `)] as const,
    ),
    ...VOLUMES.map((volume) => [{}, { volumes: [volume] }, new RegExp(`spec\\.volumes\\[${volume.name}\\]`)] as const),
  ];
  for (const [n, [annotations, spec, field]] of attacks.entries()) {
    const name = `attack-${n}`;
    await stage.runPod(name, annotations as Record<string, string>, spec as Record<string, unknown>);
    await stage.until(async () => (await why(stage, name)) !== '');
    t.regex(await why(stage, name), field);
    t.regex(await why(stage, name), /leave it out, or have an operator write .+ into virtualNode\.\w+ of an EipPolicy/);
  }
  t.deepEqual(stage.created, []);
  t.deepEqual(stage.cloud.containerGroups(), []);
  await stage.stop();
});

test('what the configuration says may be written, and the policy of the namespace may allow more', async (t) => {
  const stage = await Stage.create({
    policies: {
      databases: { namespaces: ['default'], virtualNode: { ramRoles: ['reader', 'app-*'], tagKeys: ['team'] } },
      'elsewhere-only': { namespaces: ['team-b'], virtualNode: { ramRoles: ['*'], vSwitches: ['*'] } },
    },
  });
  const own = { [`${K8S}eci-vswitch`]: 'vsw-1', [`${K8S}eci-security-group`]: 'sg-1' };
  await stage.runPod('fine', { ...own, [`${K8S}eci-ram-role-name`]: 'app-web', [`${K8S}eci-custom-tags`]: 'team:web' });
  await stage.until(() => stage.created.length > 0);
  t.is(await why(stage, 'fine'), '');
  t.like(made(stage), { ramRoleName: 'app-web', vSwitchIds: ['vsw-1'], securityGroupId: 'sg-1' });
  t.true(made(stage).tags.some(({ key, value }) => key === 'team' && value === 'web'));

  await stage.runPod('more', { [`${K8S}eci-ram-role-name`]: 'admin' });
  await stage.until(async () => (await why(stage, 'more')) !== '');
  t.is(
    await why(stage, 'more'),
    'metadata.annotations[k8s.aliyun.com/eci-ram-role-name]: pods of this namespace may not choose the RAM role "admin" (EipPolicy databases); write reader, or leave it out, or have an operator write it into virtualNode.ramRoles of EipPolicy databases',
  );
  t.is(stage.created.length, 1);

  // An operator allows it: the pod is looked at again within five minutes.
  await stage.setPolicy('databases', { namespaces: ['default'], virtualNode: { ramRoles: ['admin'] } });
  await stage.until(() => stage.created.length > 1, 400_000);
  t.is(stage.created[1]?.ramRoleName, 'admin');
  await stage.stop();
});

test('a policy that was taken away a moment ago allows nothing any more', async (t) => {
  const stage = await Stage.create({ policies: { open: { virtualNode: { ramRoles: ['*'] } } } });
  await stage.runPod('early', { [`${K8S}eci-ram-role-name`]: 'admin' });
  await stage.until(() => stage.created.length > 0);
  t.is(made(stage).ramRoleName, 'admin');
  await stage.stopPolicyWatch();
  await stage.setPolicy('open', undefined);
  await stage.runPod('late', { [`${K8S}eci-ram-role-name`]: 'admin' });
  await stage.until(async () => (await why(stage, 'late')) !== '');
  t.is(stage.created.length, 1);
  await stage.stop();
});
