import {
  CoordinationV1Api,
  CoreV1Api,
  EventsV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
  Watch,
} from '@kubernetes/client-node';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';

test('@kubernetes/client-node writes, patches, lists and watches', async (t) => {
  const { url, close } = await serveKube(createApiServer({ clock: systemClock, random: systemRandom }));
  t.teardown(close);
  const config = new KubeConfig();
  config.loadFromString(kubeconfig(url));
  const namespace = 'default';
  const core = config.makeApiClient(CoreV1Api);

  const body = { metadata: { name: 'p' }, spec: { containers: [{ name: 'app', image: 'nginx' }] } };
  const pod = await core.createNamespacedPod({ namespace, body });
  t.true(pod.metadata?.creationTimestamp instanceof Date);
  const patched = await core.patchNamespacedPodStatus(
    { namespace, name: 'p', body: { status: { conditions: [{ type: 'k8s.aliyun.com/eip', status: 'True' }] } } },
    setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
  );
  t.is(patched.status?.conditions?.[0]?.type, 'k8s.aliyun.com/eip');
  const listed = await core.listPodForAllNamespaces({ limit: 10 });
  t.deepEqual(
    listed.items.map(({ metadata }) => metadata?.name),
    ['p'],
  );
  await t.throwsAsync(core.createNamespacedPod({ namespace, body }), {
    message: /"reason":"AlreadyExists"|AlreadyExists/,
  });

  const now = new V1MicroTime('2026-01-01T00:00:00.000Z');
  const lease = await config.makeApiClient(CoordinationV1Api).createNamespacedLease({
    namespace,
    body: { metadata: { name: 'l' }, spec: { holderIdentity: 'me', renewTime: now } },
  });
  t.is(lease.spec?.holderIdentity, 'me');
  const event = await config.makeApiClient(EventsV1Api).createNamespacedEvent({
    namespace,
    body: {
      metadata: { name: 'e' },
      regarding: { kind: 'Pod', namespace, name: 'p' },
      action: 'Bind',
      reason: 'Bound',
      note: 'bound',
      type: 'Normal',
      eventTime: now,
      reportingController: 'example.org/c',
      reportingInstance: 'i',
    },
  });
  t.is(event.note, 'bound');

  const events: [string, string][] = [];
  await new Promise<void>((resolve, reject) => {
    const watch = new Watch(config);
    const started = watch.watch(
      '/api/v1/pods',
      { resourceVersion: listed.metadata?.resourceVersion },
      (phase: string, object: { metadata: { name: string } }) => {
        events.push([phase, object.metadata.name]);
        if (phase === 'DELETED') void started.then((aborter) => aborter.abort());
      },
      () => resolve(),
    );
    started.then(() => core.deleteNamespacedPod({ namespace, name: 'p' })).catch(reject);
  });
  t.deepEqual(events, [
    ['MODIFIED', 'p'],
    ['DELETED', 'p'],
  ]);
});
