import test from 'ava';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { createKubeletCalls } from '../../src/virtualnode/api-server.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { readOnce } from '../../src/virtualnode/read-once.ts';
import { tokensEnd } from '../../src/virtualnode/token-lifetime.ts';
import type { TokenProjection } from '../../src/virtualnode/workload-pod.ts';
import { ManualClock } from '../harness/clock.ts';
import { app, podOf } from './translate/pods.ts';
import { Stage } from './stage.ts';

const DAY = 86_400;

/** What the API server is asked for. */
const asked = async (projection: Partial<TokenProjection>, tokenSeconds: number): Promise<unknown> => {
  let spec: { readonly expirationSeconds?: number } | undefined;
  const transport: KubeTransport = ({ body = '{}' }) => {
    ({ spec } = JSON.parse(body) as { spec: object });
    return Promise.resolve({
      status: 201,
      header: () => undefined,
      text: () => Promise.resolve('{"status":{"token":"jwt"}}'),
      lines: () => (async function* () {})(),
    });
  };
  const calls = createKubeletCalls({ transport, clock: new ManualClock(), tokenSeconds });
  await calls.requestToken(podOf(), { path: 'token', ...projection });
  return spec?.expirationSeconds;
};

test('a token lives as long as the pod asks, at most as long as the configuration says, and never for a year by accident', async (t) => {
  t.is(await asked({ expirationSeconds: 600 }, DAY), 600);
  t.is(await asked({ expirationSeconds: 7_200, audience: 'vault' }, DAY), 7_200);
  t.is(await asked({ expirationSeconds: 30 * DAY }, DAY), DAY);
  t.is(await asked({}, DAY), 3_600);
  // What the API server writes where the pod says nothing, and what it would take for a year.
  t.is(await asked({ expirationSeconds: 3_607 }, DAY), DAY);
  t.is(await asked({ expirationSeconds: 3_607 }, 3_607), 3_606);
  t.is(await asked({ expirationSeconds: 3_607 }, 600), 600);
});

const withTokens = (...lifetimes: readonly number[]) =>
  podOf({
    volumes: lifetimes.map((expirationSeconds, n) => ({
      name: `v${n}`,
      projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds } }] },
    })),
  });

test('a pod is told when its token ends', (t) => {
  t.is(tokensEnd(podOf(), DAY), undefined);
  t.regex(tokensEnd(withTokens(3_607), DAY) ?? '', /ends after 24 hours and is not renewed/);
  t.regex(tokensEnd(withTokens(3_607, 600), DAY) ?? '', /ends after 10 minutes/);
});

test('a pod is told which of its files are not written anew, if a kubelet would', (t) => {
  const said = (volumes: readonly object[], mount: object = {}) => {
    const volumeMounts = volumes.map((_, n) => ({ name: `v${n}`, mountPath: `/v${n}`, ...mount }));
    const named = volumes.map((volume, n) => ({ name: `v${n}`, ...volume }));
    return readOnce(podOf({ volumes: named, containers: [app({ volumeMounts })] }), DAY).join('; ');
  };
  const [map, secret] = [{ configMap: { name: 'settings' } }, { secret: { secretName: 'key' } }];
  t.regex(said([map, secret, map]), /^its files of ConfigMap settings, Secret key stay as they are now/);
  t.regex(said([{ projected: { sources: [map, { secret: { name: 'key' } }] } }]), /of ConfigMap settings, Secret key /);
  t.is(said([map], { subPath: 'a' }), '', 'neither would a kubelet');
  t.is(said([{ emptyDir: {} }, { configMap: { name: 'kube-root-ca.crt' } }]), '');
  t.is(readOnce(podOf({ volumes: [{ name: 'v', ...map }] }), DAY).length, 0, 'nobody mounts it');
  const many = Array.from({ length: 7 }, (_, n) => ({ configMap: { name: `m${n}` } }));
  t.regex(said(many), /ConfigMap m4 and 2 more stay/);
});

test('the Event about the instance says it', async (t) => {
  const stage = await Stage.create();
  await stage.kube.create(CONFIG_MAP, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name: 'settings' },
    data: { a: 'b' },
  });
  const volumeMounts = [{ name: 'v', mountPath: '/etc/settings' }];
  const containers = [{ name: 'main', image: 'nginx', volumeMounts }];
  await stage.runPod('web', {}, { containers, volumes: [{ name: 'v', configMap: { name: 'settings' } }] });
  t.not(await stage.until(() => stage.created.length > 0), Infinity);
  await stage.pass(1_000);
  const told = stage.events.filter(({ reason }) => reason === 'ContainerGroupCreated').map(({ note }) => note);
  t.regex(told.join('\n'), /^created elastic container instance eci-\S+; its files of ConfigMap settings stay/);
  await stage.stop();
});
