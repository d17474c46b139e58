import { readdirSync, readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { WANTS_ECI } from '../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACES } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { SERVICE, type Service } from '../../src/sandbox/knative/resources.ts';
import {
  addressOf,
  chainIsGone,
  deleteService,
  nothingIsLeft,
  servedPod,
  serviceIsReady,
  visit,
  withKnative,
  type KnativeStage,
} from './knative.ts';
import { VIRTUAL_NODE_NAME } from './stage.ts';
import { until } from '../harness/until.ts';

/**
 * The manifests of ACK's documentation, "Associate an EIP with the elastic container instance on which a Knative
 * Service runs".
 */
const FOLDER = new URL('../seeds/', import.meta.url);
const BANDWIDTH_PLAN = 'cbwp-2zeukbj916scmj51mxxxx';
const eipOf = (place: string) => `eip-bp1q5n8cq4p7f6dzu${place}`;
const NAME = 'helloworld-go';

/** Each manifest and what the EIP of its pod must be; a placeholder ends in four stars. */
const MANIFESTS: Readonly<Record<string, (place: string) => object>> = {
  'existing-eip.yaml': (place) => ({ allocationId: eipOf(place), bandwidthMbps: 3, bandwidthPackage: undefined }),
  'new-eip-bandwidth.yaml': () => ({ bandwidthMbps: 10, bandwidthPackage: undefined, isp: 'BGP' }),
  'new-eip-bandwidth-plan.yaml': () => ({ bandwidthMbps: 5, bandwidthPackage: { id: BANDWIDTH_PLAN } }),
};

const load = (file: string, place: string): Service => {
  const text = readFileSync(new URL(file, FOLDER), 'utf8');
  const filled = text
    .replace('eip-bp1q5n8cq4p7f6dzu****', eipOf(place))
    .replace('cbwp-2zeukbj916scmj51m****', BANDWIDTH_PLAN);
  if (filled.includes('***"')) throw new Error(`${file} has a placeholder that nothing is put in for`);
  return parse(filled) as Service;
};

/** Pods of a Service without labels go where their namespace sends them. */
const PLACES: Readonly<Record<string, { readonly labels: Record<string, string>; readonly isOnEci: boolean }>> = {
  ecs: { labels: {}, isOnEci: false },
  eci: { labels: { [WANTS_ECI]: 'true' }, isOnEci: true },
};

const serves = async (t: ExecutionContext, stage: KnativeStage, file: string, place: string): Promise<void> => {
  const { kube, cloud } = stage;
  const namespace = `${file.replace('.yaml', '')}-${place}`;
  const { labels, isOnEci } = PLACES[place]!;
  await kube.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
  const manifest = load(file, place);
  const { spec } = await kube.create(SERVICE, { ...manifest, metadata: { ...manifest.metadata, namespace } });
  t.deepEqual(spec, manifest.spec, 'it is taken as it is');
  await serviceIsReady(stage, NAME, `${NAME}-00001`, namespace);
  const leave = visit(stage, NAME, namespace);
  const pod = await servedPod(stage, `${NAME}-00001`, namespace);
  t.is(pod.spec.nodeName === VIRTUAL_NODE_NAME, isOnEci, namespace);
  const eip = await until(
    `the EIP of ${namespace} is in use`,
    () => cloud.eips().find(({ ipAddress }) => ipAddress === addressOf(pod)),
    (it) => it?.status === 'InUse',
  );
  t.like(eip, MANIFESTS[file]!(place), namespace);
  // Written right after the pod was told.
  await until(
    `the PodEIP of ${namespace} shows the address`,
    () => kube.get(PODEIP, { namespace, name: pod.metadata.name }),
    (it) => it?.status?.eipAddress === addressOf(pod),
  );
  await leave();
};

test.serial(
  'the manifests of ACK’s documentation work as they are, on ECS nodes and on ECI, and leave nothing',
  async (t) => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'));
    t.deepEqual(files.toSorted(), Object.keys(MANIFESTS).toSorted());
    await withKnative('embedded', {}, async (stage) => {
      const { cloud } = stage;
      const theirs = Object.keys(PLACES).map((place) => eipOf(place));
      for (const allocationId of theirs) cloud.world.addEip({ allocationId, bandwidthMbps: 3 });
      cloud.world.addBandwidthPackage(BANDWIDTH_PLAN);
      const cases = files.flatMap((file) => Object.keys(PLACES).map((place) => ({ file, place })));
      await Promise.all(cases.map(({ file, place }) => serves(t, stage, file, place)));
      // Nobody visits any more: Knative scales to zero, and every address goes back.
      await nothingIsLeft(stage, theirs);
      for (const { file, place } of cases) await deleteService(stage, NAME, `${file.replace('.yaml', '')}-${place}`);
      await chainIsGone(stage);
      t.deepEqual(
        cloud.eips().map(({ allocationId, status }) => [allocationId, status]),
        theirs.map((allocationId) => [allocationId, 'Available']),
      );
      t.deepEqual(cloud.containerGroups(), []);
    });
  },
);
