import test from 'ava';
import { createKubeletCalls } from '../../src/virtualnode/api-server.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { tokensEnd } from '../../src/virtualnode/token-lifetime.ts';
import type { TokenProjection } from '../../src/virtualnode/workload-pod.ts';
import { ManualClock } from '../harness/clock.ts';
import { podOf } from './translate/pods.ts';

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
