import { createKube } from '../../../src/kube/client.ts';
import { createSandboxCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { createNodes } from '../../../src/sandbox/cluster/kubelet.ts';
import { transport as inProcess } from '../../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { ManualClock } from '../../harness/clock.ts';
import { waitDuring } from '../../harness/during.ts';
import { seeded } from '../../harness/random.ts';

/** How much virtual time passes at once, milliseconds. */
const STEP_MS = 50;

/** An embedded cluster in virtual time with nothing but its two nodes: what stands in for controllers runs on it. */
export const createBareCluster = async (startMs: number) => {
  const clock = new ManualClock(startMs);
  const random = seeded(1);
  const server = createApiServer({ clock, random });
  const transport = inProcess(server);
  const kube = createKube({ transport, clock, qps: 0 });
  const cloud = createSandboxCloud({ clock, random });
  const stop = new AbortController();
  // A call takes a step at least, as no call of a real cluster takes no time.
  const during = async <T>(work: Promise<T>): Promise<T> => {
    await clock.advance(STEP_MS);
    return waitDuring(clock, work, STEP_MS);
  };
  const nodes = await during(createNodes(kube, cloud, 'vpc-1'));
  return {
    server,
    transport,
    kube,
    cloud,
    nodes,
    context: { transport, clock, random },
    stop,
    during,
    pass: async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= STEP_MS) await clock.advance(STEP_MS);
    },
  };
};
