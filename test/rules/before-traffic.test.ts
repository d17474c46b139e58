import test from 'ava';
import { EIP_BEFORE_TRAFFIC, KEYS } from '../../src/api/annotations.ts';
import type { ProbedContainer } from '../../src/api/core.ts';
import { REVISION_LABEL } from '../../src/api/knative.ts';
import { PodRequest } from '../../src/controllers/podeip/pod-request.ts';
import { settingsOf } from '../../src/manager/settings.ts';
import { node } from '../controllers/podeip/situation.ts';
import { configOf } from '../harness/settings.ts';

const settings = settingsOf(configOf(), 'cluster');
const TCP = { tcpSocket: { port: 8080 } };
const HTTP = { exec: undefined, httpGet: { port: 8080 } };
/** As Knative makes it: it has a probe of its own, which says nothing of the user's container. */
const queueProxy: ProbedContainer = { name: 'queue-proxy', startupProbe: TCP, readinessProbe: { exec: {} } };

interface Given {
  readonly containers: readonly ProbedContainer[];
  readonly says?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly isPlaced?: boolean;
}

const KNATIVES = { [REVISION_LABEL]: 'hello-00001' };

const foundOf = ({ containers, says = 'true', labels = KNATIVES, isPlaced = true }: Given) => {
  const annotations = { [KEYS.withEip[1]]: 'true', [EIP_BEFORE_TRAFFIC]: says };
  const metadata = { namespace: 'default', name: 'hello', uid: 'u', resourceVersion: '1', annotations, labels };
  const pod = { metadata, spec: { nodeName: 'node-1', containers: [...containers, queueProxy] } };
  const { findings } = new PodRequest(pod, isPlaced ? node : null, settings);
  return findings.filter(({ id }) => id === 'BeforeTrafficIgnored');
};

test('a pod of Knative for which the activator does not wait is told why, and what to do', (t) => {
  const [found, ...others] = foundOf({ containers: [{ name: 'user' }, { name: 'sidecar', readinessProbe: HTTP }] });
  t.deepEqual(others, []);
  t.is(found?.severity, 'warn');
  t.regex(found?.problem ?? '', /no container of the pod has a startup probe, because the webhook .* was not called/);
  t.regex(found?.remedy ?? '', /^write a startupProbe into the container that serves, or change anything/);
});

test('nothing is said where the activator waits, where nobody asks for that, and where it is not known yet', (t) => {
  const bare = [{ name: 'user' }];
  const silent: Readonly<Record<string, Given>> = {
    'a startup probe': { containers: [{ name: 'user', startupProbe: TCP }] },
    'a startup probe of a sidecar': { containers: [...bare, { name: 'sidecar', startupProbe: TCP }] },
    'a readiness probe that runs a command': { containers: [{ name: 'user', readinessProbe: { exec: {} } }] },
    'requests need not wait': { containers: bare, says: 'false' },
    'no pod of Knative: its Service waits for the gate': { containers: bare, labels: {} },
    'its node is not known': { containers: bare, isPlaced: false },
  };
  for (const [why, given] of Object.entries(silent)) t.deepEqual(foundOf(given), [], why);
});
