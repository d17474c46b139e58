import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { changes } from './changes.ts';
import { connect, define, podEipDefinition } from './client.ts';
import { definitions } from './definitions.ts';
import { deletions } from './deletions.ts';
import { kinds } from './kinds.ts';
import { objects } from './objects.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE, startControlPlane } from './real.ts';
import { policies } from './policies.ts';
import { watches } from './watches.ts';
import { webhooks } from './webhooks.ts';

type Client = Awaited<ReturnType<typeof connect>>;

const behaviours = [
  ...objects,
  ...changes,
  ...deletions,
  ...watches,
  ...definitions,
  ...kinds,
  ...policies,
  ...webhooks,
];

const stops: (() => Promise<void>)[] = [];
test.after.always('end what was started', async () => {
  for (const stop of stops.toReversed()) await stop();
});

const startEmbedded = async (): Promise<Client> => {
  const dir = await mkdtemp(join(tmpdir(), 'sandbox-'));
  stops.push(() => rm(dir, { recursive: true }));
  const server = createApiServer({ clock: systemClock, random: systemRandom, webhooks: {} });
  stops.push(() => Promise.resolve(stopGarbage()));
  const stopGarbage = server.startGarbageCollector();
  const served = await serveKube(server);
  stops.push(served.close);
  await writeFile(join(dir, 'kubeconfig'), kubeconfig(served.url));
  return connect(join(dir, 'kubeconfig'), () => Promise.resolve(server.compact()));
};

const startReal = async (): Promise<Client> => {
  const plane = await startControlPlane({ controllers: true });
  if (plane === undefined) throw new Error(HOW_TO_GET_ONE);
  stops.push(plane.stop);
  return connect(plane.kubeconfig, plane.compact);
};

const declare = (side: string, start: () => Promise<Client>): void => {
  let client: Client;
  test.serial.before(`${side}: start`, async () => {
    client = await start();
    await define(client.request, await podEipDefinition());
  });
  for (const { title, check } of behaviours)
    test.serial(`${side}: ${title}`, async (t) => {
      const api = await client.forTest();
      try {
        await check(t, api);
      } finally {
        await api.cleanUp();
      }
    });
};

declare('embedded', startEmbedded);
if (controlPlaneAvailable()) declare('real', startReal);
else test.skip(`real: not run, because there is no control plane; ${HOW_TO_GET_ONE}`, (t) => t.fail());
