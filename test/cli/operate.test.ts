import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { parse } from 'yaml';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { assembleCloud } from '../../src/cloud/assemble.ts';
import { operate } from '../../src/cli/operate.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeObject, Resource } from '../../src/kube/port.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/report/metrics.ts';
import { createCloud } from '../../src/sandbox/cloud/cloud.ts';
import { callApi } from '../../src/sandbox/cloud/transport.ts';
import { createApiServer } from '../../src/sandbox/kube/server.ts';
import { transport as inProcess } from '../../src/sandbox/kube/transport.ts';
import { seeded, StillClock } from '../sandbox/cloud-bench.ts';

const definition = parse(
  readFileSync(new URL('../../config/crd/podeips.alibabacloud.com.yaml', import.meta.url), 'utf8'),
) as object;

const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** The clock of the tests does not hear of an abort, so that whoever sleeps sleeps on. */
const tooLong = async (clock: StillClock): Promise<never> => {
  for (let turn = 0; turn < 1_000; turn += 1) await clock.pass(1_000);
  throw new Error('it does not drain');
};

/** The EIPs that are left after so long, of one orphan in a cluster without PodEIPs, with this configuration. */
const leftAfter = async (ms: number, sweeper: object): Promise<number> => {
  const clock = new StillClock();
  const random = seeded(3);
  const cloud = createCloud({ clock, random });
  const server = createApiServer({ clock, random });
  const transport = inProcess(server);
  const kube = createKube({ transport, clock, qps: 0 });
  await kube.create(CRD, definition);
  const clusterUid = (await kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '';
  cloud.world.addEip({ tags: { [TAG_CLUSTER_UID]: clusterUid, [TAG_PODEIP_UID]: 'gone' } });
  const { config } = loadConfig({
    base: {
      clusterID: 'cluster',
      regionID: 'cn-hangzhou',
      vpcID: 'vpc-1',
      networkController: { eipController: { garbageCollectionPeriodInMinutes: 2 } },
      sweeper,
    },
    env: {},
  });
  const work = new AbortController();
  const sent = callApi(cloud);
  const assembled = assembleCloud({
    clock,
    region: config.regionID,
    callApi: (params, request) => sent(params, request, {}),
  });
  await assembled.warmUp();
  const { drained } = operate({
    config,
    clock,
    random,
    log: silentLog,
    kube,
    caches: createCaches({ transport, clock, random, log: silentLog, onTrouble: () => undefined }),
    metrics: createMetrics({ version: '0', nodeVersion: '0' }),
    election: undefined,
    record: () => undefined,
    assemble: () => assembled,
    work: work.signal,
  });
  for (let passed = 0; passed < ms; passed += 500) {
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
    await clock.pass(500);
  }
  const left = cloud.eips().length;
  work.abort(new Error('the test is over'));
  await Promise.race([drained, tooLong(clock)]);
  return left;
};

test('the sweeper works as the configuration says, and stops with the rest', async (t) => {
  // First after 30 s, then every two minutes.
  t.is(await leftAfter(145_000, { brakeAbove: 1, graceSeconds: 60 }), 1);
  t.is(await leftAfter(155_000, { brakeAbove: 1, graceSeconds: 60 }), 0);
  t.is(await leftAfter(200_000, { brakeAbove: 1, graceSeconds: 240 }), 1);
  t.is(await leftAfter(600_000, { graceSeconds: 60 }), 1);
  t.is(await leftAfter(600_000, { mode: 'report', brakeAbove: 1 }), 1);
  t.is(await leftAfter(600_000, { mode: 'off', brakeAbove: 1 }), 1);
});
