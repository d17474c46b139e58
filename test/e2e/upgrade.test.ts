import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { POD } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { Kube, KubeObject, Resource } from '../../src/kube/port.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage } from './stage.ts';

const run = promisify(execFile);
const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const KINDS = [PODEIP, EIP_POLICY, EIP_USAGE] as const;

/** All but what the API server changes with each write. */
const stored = async (kube: Kube, kind: Resource<KubeObject>) =>
  (await kube.list(kind)).map(({ metadata: { name, namespace, uid, labels, annotations, finalizers }, ...rest }) => ({
    ...rest,
    metadata: { name, namespace, uid, labels, annotations, finalizers },
  }));

const POLICY = {
  apiVersion: `${EIP_POLICY.group}/${EIP_POLICY.version}`,
  kind: EIP_POLICY.kind,
  metadata: { name: 'shops' },
  spec: {
    namespaceSelector: { matchLabels: { team: 'web' } },
    existingEips: { ids: ['eip-bp1q5n8cq4p7f6dzu'], tags: [{ team: 'web' }] },
    bandwidthPackages: ['cbwp-2zeukbj916scmj51m'],
    limits: { eips: 10, bandwidthMbps: 200 },
    defaults: { bandwidth: 20, internetChargeType: 'PayByTraffic', bandwidthPackage: 'cbwp-2zeukbj916scmj51m' },
  },
};
const USAGE = {
  apiVersion: `${EIP_USAGE.group}/${EIP_USAGE.version}`,
  kind: EIP_USAGE.kind,
  metadata: { name: 'default' },
};

const TITLE = 'what was stored under the definitions of 0.1.0 is read, changed and served after an upgrade of them';
(isRealAvailable() ? test : test.skip)(
  isRealAvailable() ? TITLE : `${TITLE} (not run: ${HOW_TO_GET_ONE})`,
  async (t) => {
    const stage = await setStage('real', { withCrd: false });
    t.teardown(stage.close);
    const { kube } = stage;
    const kubectl = async (...args: readonly string[]): Promise<string> =>
      (await run('kubectl', ['--kubeconfig', stage.kubeconfig, ...args])).stdout;
    const established = (count: number) =>
      until(
        'the definitions are established',
        () => kube.list(CRD),
        (all) => {
          const ours = all.filter(({ metadata }) => metadata.name.endsWith('alibabacloud.com'));
          return ours.length === count && ours.every((it) => JSON.stringify(it).includes('"type":"Established"'));
        },
      );
    await kubectl('apply', '--server-side', '-f', pathOf('installed-0.1'));
    await established(3);
    const name = `${PODEIP.plural}.${PODEIP.group}`;
    const before = JSON.stringify(await kube.get(CRD, { name }));

    await kube.create(EIP_POLICY, POLICY);
    await kube.create(EIP_USAGE, USAGE);
    const first = await stage.startController({ existingEips: 'granted' });
    await kube.create(POD, {
      metadata: { name: 'web', namespace: 'default', annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
      spec: { containers: [{ name: 'web', image: 'nginx' }] },
    });
    await until(
      'an address under the old definitions',
      () => kube.list(PODEIP),
      (all) => all.length === 1 && all.every((it) => it.status?.status === 'InUse'),
    );
    const served = await until(
      'the pod is told',
      () => kube.get(POD, { namespace: 'default', name: 'web' }),
      (it) => it?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
    );
    t.is(await first.terminate(), 0, first.output());
    const old = await Promise.all(KINDS.map((kind) => stored(kube, kind as Resource<KubeObject>)));
    t.deepEqual(
      old.map(({ length }) => length),
      [1, 1, 1],
    );

    await kubectl('apply', '--server-side', '-k', pathOf('../../config/crd'));
    await established(4);
    t.not(JSON.stringify(await kube.get(CRD, { name })), before, 'there was something to upgrade');
    t.deepEqual(await Promise.all(KINDS.map((kind) => stored(kube, kind as Resource<KubeObject>))), old);

    // The schema takes the objects as they are, written whole.
    for (const kind of KINDS) {
      const plural = `${kind.plural}.${kind.group}`;
      t.regex(await kubectl('label', plural, '--all', '--all-namespaces', 'upgraded=yes'), /labeled/u);
    }

    const next = await stage.startController();
    const { uid = '' } = served?.metadata ?? {};
    await kube.delete(POD, { namespace: 'default', name: 'web' }, { uid });
    await until(
      'the address of before is given back',
      async () => [await kube.list(PODEIP), stage.cloud.eips()].map(({ length }) => length),
      ([podEips, eips]) => podEips === 0 && eips === 0,
    );
    t.is(await next.terminate(), 0, next.output());
  },
);
