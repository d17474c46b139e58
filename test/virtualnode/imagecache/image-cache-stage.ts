import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CRD } from '../../../src/api/apiextensions.ts';
import { SECRET } from '../../../src/api/core.ts';
import { IMAGE_CACHE, type ImageCache } from '../../../src/api/imagecache.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import type { Kube } from '../../../src/kube/port.ts';
import type { Happening } from '../../../src/kube/recorder.ts';
import { createReflector } from '../../../src/kube/reflector.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { CloudOptions } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { runImageCaches } from '../../../src/virtualnode/imagecache/controller.ts';
import type { ImageCacheSettings } from '../../../src/virtualnode/imagecache/observation.ts';
import { adapterOn, EmbeddedCluster } from '../../harness/cluster.ts';
import { KillableProcess, type Death } from '../../harness/process.ts';
import { seeded } from '../../harness/random.ts';
import { VPC } from '../../harness/settings.ts';

const DEFINITION = new URL(
  '../../../config/virtual-node-image-caches/imagecaches.eci.alibabacloud.com.yaml',
  import.meta.url,
);

export const SETTINGS: ImageCacheSettings = {
  clusterUid: 'cluster-1',
  vSwitchIds: ['vsw-1'],
  securityGroupId: 'sg-1',
  settleMs: 15_000,
  missingMs: 20_000,
  readLagMs: 3_000,
};

const STEP = { minMs: 2_000, maxMs: 2_000 };

/** A process of the image caches. */
interface Running {
  readonly process: KillableProcess;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** A cluster, an account, and processes of the image caches, one after the other or at once, in virtual time. */
export class ImageCacheStage extends EmbeddedCluster {
  readonly told: string[] = [];
  /** What is between the next process and the API server. */
  throughRights: (kube: Kube) => Kube = (kube) => kube;
  readonly #random = seeded(3);
  readonly #processes: Running[] = [];

  static async create(cloud: Partial<CloudOptions> = {}): Promise<ImageCacheStage> {
    const stage = new ImageCacheStage({
      seeds: { api: 5, cloud: 4 },
      cloud: { transitions: { imageCache: STEP }, ...cloud },
      stepMs: 250,
    });
    stage.cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '10.1.0.0/16' });
    await stage.during(stage.kube.create(CRD, parse(readFileSync(DEFINITION, 'utf8')) as object));
    return stage;
  }

  /** A process begins. */
  async start(death?: Death): Promise<void> {
    const { clock, transport } = this;
    const process = new KillableProcess(clock, { death, counts: 'writes', once: 'hang' });
    const adapter = adapterOn(this.cloud, clock);
    await adapter.warmUp();
    const shared = { clock, random: this.#random, log: silentLog };
    const stop = new AbortController();
    const ended = runImageCaches(
      {
        ...shared,
        kube: process.through(this.throughRights(this.kube)),
        watched: createReflector({
          ...shared,
          transport: process.throughCall('request', transport),
          resource: IMAGE_CACHE,
          keep: (cache) => cache,
        }),
        imageCaches: process.through(adapter.imageCaches),
        record: (_about, { type, reason, note }: Happening) =>
          void (process.isDead || this.told.push(`${type} ${reason}: ${note}`)),
        settings: SETTINGS,
      },
      stop.signal,
    );
    this.#processes.push({ process, stop, ended });
  }

  /** Whether the process that was started last is dead. */
  get isDead(): boolean {
    return this.#processes.at(-1)?.process.isDead === true;
  }

  get writes(): readonly string[] {
    return this.#processes.at(-1)?.process.writes ?? [];
  }

  /** As the vendor's sample has it. */
  apply(name: string, spec: object = {}, annotations: Readonly<Record<string, string>> = {}): Promise<ImageCache> {
    return this.kube.create(IMAGE_CACHE, {
      apiVersion: 'eci.alibabacloud.com/v1',
      kind: 'ImageCache',
      metadata: { name, annotations },
      spec: { images: ['centos:latest', 'busybox:latest'], ...spec },
    });
  }

  object(name: string): Promise<ImageCache | undefined> {
    return this.kube.get(IMAGE_CACHE, { name });
  }

  async phase(name: string): Promise<string | undefined> {
    return (await this.object(name))?.status?.phase;
  }

  async remove(name: string): Promise<void> {
    const object = await this.object(name);
    if (object && object.metadata.deletionTimestamp === undefined)
      await this.kube.delete(IMAGE_CACHE, { name }, { uid: object.metadata.uid });
  }

  /** Nobody may read Secrets of other namespaces than these. */
  allowSecretsIn(...namespaces: readonly string[]): void {
    this.throughRights = (kube) => ({
      ...kube,
      get: async (resource, ref, signal) => {
        if (resource.plural === SECRET.plural && !namespaces.includes(ref.namespace ?? ''))
          throw new KubeFault({ kind: 'forbidden', message: 'secrets is forbidden', status: 403 });
        return kube.get(resource, ref, signal);
      },
    });
  }

  async stop(): Promise<void> {
    const live = this.#processes.splice(0).filter(({ process }) => !process.isDead);
    for (const { stop } of live) stop.abort(new Error('the test is over'));
    await this.drained(Promise.all(live.map(({ ended }) => ended)));
  }
}
