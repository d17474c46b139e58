import { IMAGE_CACHE, type ImageCache } from '../../../src/api/imagecache.ts';
import { imageCacheRequest, TAG_IMAGE_CACHE_UID } from '../../../src/virtualnode/imagecache/image-cache-request.ts';
import { adapterOn } from '../../harness/cluster.ts';
import { WorldDraws } from '../world-draws.ts';
import { ImageCacheStage, SETTINGS } from './image-cache-stage.ts';

/*
 * A world of ImageCaches, drawn from a seed: they come and go, some with their finalizer taken away, are edited, and
 * their caches deleted by hand; the process dies at its writes, the cloud loses answers, refuses and lags. There are
 * caches of others in the account.
 */

/** How long things happen, and how long they may then take to come to rest; milliseconds. */
const LIVELY_MS = 150_000;
const REST_MS = 900_000;
/** What has no object is looked for once in ten minutes, and each fault that is left spoils one of these looks. */
const CLEAR_MS = 12_000_000;
const LOOK_MS = 500;
const LONG_LOOK_MS = 5_000;

const FLASH = 'k8s.aliyun.com/imc-enable-flash';
const FOREIGN = { imageCacheName: 'x', images: ['x'], securityGroupId: 'sg-1', vSwitchId: 'vsw-1' };

export interface ImageCacheWorldOutcome {
  readonly problems: readonly string[];
  readonly deaths: number;
  readonly caches: number;
  /** Objects that were taken away with their finalizer while they had a cache. */
  readonly orphans: number;
}

const specOf = (tags: ReadonlyMap<string, string>): string | undefined => tags.get('knative-eip/image-cache-spec');

/** The tags of a cache that would be made of the object now. */
const tagsFor = (object: ImageCache): readonly (readonly [string, string])[] => {
  const request = imageCacheRequest({ object, secrets: undefined }, SETTINGS);
  return request.kind === 'spec' ? request.spec.tags.map(({ key, value }) => [key, value]) : [];
};

class ImageCacheWorld {
  readonly #draws: WorldDraws;
  readonly #stage: ImageCacheStage;
  readonly #problems = new Set<string>();
  readonly #caches = new Set<string>();
  readonly #foreign = new Set<string>();
  readonly #names = new Set<string>();
  #downSince: number | undefined;
  #deaths = 0;
  #made = 0;
  #orphans = 0;

  constructor(seed: number, stage: ImageCacheStage) {
    this.#draws = new WorldDraws(seed);
    this.#stage = stage;
  }

  async live(): Promise<ImageCacheWorldOutcome> {
    await this.#bringForeign();
    await this.#start();
    for (let at = 0; at < LIVELY_MS; at += LOOK_MS) {
      if (this.#draws.chance(0.12)) await this.#act();
      await this.#pass(LOOK_MS);
    }
    await this.#settle();
    await this.#clear();
    await this.#stage.stop();
    return {
      problems: [...this.#problems],
      deaths: this.#deaths,
      caches: this.#caches.size,
      orphans: this.#orphans,
    };
  }

  async #bringForeign(): Promise<void> {
    const { imageCaches } = adapterOn(this.#stage.cloud, this.#stage.clock);
    const ofCluster = { key: 'knative-eip/cluster-uid', value: SETTINGS.clusterUid };
    const ofAnother = { key: 'knative-eip/cluster-uid', value: 'another' };
    const ofObject = { key: TAG_IMAGE_CACHE_UID, value: 'nobody' };
    for (const [clientToken, tags] of Object.entries({ none: [], half: [ofCluster], another: [ofAnother, ofObject] })) {
      const request = imageCaches.createImageCache({ ...FOREIGN, clientToken, tags });
      this.#foreign.add((await this.#stage.during(request)).imageCacheId);
    }
  }

  async #start(): Promise<void> {
    this.#downSince = undefined;
    await this.#stage.start(this.#draws.death(0.6, 10));
  }

  async #act(): Promise<void> {
    const draw = this.#draws.next();
    const name = [...this.#names][this.#draws.below(this.#names.size)];
    if (draw < 0.4 && this.#names.size < 5) return this.#create();
    if (draw < 0.65) return this.#fail();
    if (name === undefined) return;
    if (draw < 0.8) await this.#stage.remove(name);
    else if (draw < 0.88) await this.#takeAway(name);
    else if (draw < 0.94) await this.#edit(name);
    else {
      const id = (await this.#stage.object(name))?.status?.imageCacheId ?? '';
      if (this.#stage.cloud.imageCaches().some(({ imageCacheId }) => imageCacheId === id))
        this.#stage.cloud.world.removeImageCache(id);
    }
  }

  async #create(): Promise<void> {
    this.#made += 1;
    const name = `i${this.#made}`;
    await this.#stage.apply(name, this.#draws.chance(0.15) ? { images: ['nobody.invalid/x:1'] } : {});
    this.#names.add(name);
  }

  #fail(): void {
    const fault = this.#draws.fault('QuotaExceeded');
    const action = this.#draws.one(['CreateImageCache', 'DeleteImageCache', 'DescribeImageCaches']);
    this.#stage.cloud.inject({ action, times: 1 + this.#draws.below(3), fault });
  }

  async #takeAway(name: string): Promise<void> {
    const { kube } = this.#stage;
    const before = await this.#stage.object(name);
    if (!before) return;
    await this.#stage.remove(name);
    const { uid } = before.metadata;
    if (!(await this.#stage.object(name))) return;
    await kube.patch(IMAGE_CACHE, { name }, { type: 'merge', body: { metadata: { uid, finalizers: null } } });
    if (before.status?.imageCacheId !== undefined) this.#orphans += 1;
  }

  async #edit(name: string): Promise<void> {
    const value = this.#draws.chance(0.7) ? 'true' : null;
    const body = { metadata: { annotations: { [FLASH]: value } } };
    if (await this.#stage.object(name)) await this.#stage.kube.patch(IMAGE_CACHE, { name }, { type: 'merge', body });
  }

  async #pass(ms: number): Promise<void> {
    const stage = this.#stage;
    await stage.pass(ms);
    if (stage.isDead) {
      const now = stage.clock.mono();
      if (this.#downSince === undefined) {
        this.#downSince = now;
        this.#deaths += 1;
      } else if (now - this.#downSince >= 2_000) await this.#start();
    }
    for (const name of this.#names) if (!(await stage.object(name))) this.#names.delete(name);
    this.#look();
  }

  /** What must hold at any time. */
  #look(): void {
    const at = `at ${this.#stage.clock.mono() / 1_000} s`;
    const there = this.#stage.cloud.imageCaches();
    const owners = there.flatMap(({ imageCacheId, tags }) =>
      this.#foreign.has(imageCacheId) ? [] : [tags.get(TAG_IMAGE_CACHE_UID)],
    );
    if (new Set(owners).size < owners.length) this.#problems.add(`two caches of one object ${at}`);
    const ids = new Set(there.map(({ imageCacheId }) => imageCacheId));
    for (const id of ids) if (!this.#foreign.has(id)) this.#caches.add(id);
    for (const id of this.#foreign) if (!ids.has(id)) this.#problems.add(`a cache of somebody else is gone ${at}`);
  }

  /** Nothing more happens from outside. */
  async #settle(): Promise<void> {
    const unrest = async (): Promise<readonly string[]> => {
      const objects = await Promise.all([...this.#names].map((name) => this.#stage.object(name)));
      return objects.flatMap((object) => (object && !this.#isAtRest(object) ? [object.metadata.name] : []));
    };
    let found = await unrest();
    for (let passed = 0; passed < REST_MS && found.length > 0; passed += LONG_LOOK_MS) {
      await this.#pass(LONG_LOOK_MS);
      found = await unrest();
    }
    for (const name of found) this.#problems.add(`${name} is not at rest`);
  }

  /** It has what it says, or says why not; that it was edited in vain is said. */
  #isAtRest({ metadata, spec, status }: ImageCache): boolean {
    if (metadata.deletionTimestamp !== undefined) return false;
    const cache = this.#stage.cloud.imageCaches().find(({ imageCacheId }) => imageCacheId === status?.imageCacheId);
    if (!cache) return status?.phase === 'Failed' && (status.events?.length ?? 0) > 0;
    const isEdited = specOf(cache.tags) !== specOf(new Map(tagsFor({ metadata, spec })));
    const isSaid = status?.events?.some(({ reason }) => reason === 'ImageCacheUnchanged') === true;
    return status?.phase === cache.status && (cache.status === 'Failed' || isEdited === isSaid);
  }

  async #clear(): Promise<void> {
    for (const name of this.#names) await this.#stage.remove(name);
    const left = () => this.#names.size + this.#stage.cloud.imageCaches().length - this.#foreign.size;
    for (let passed = 0; passed < CLEAR_MS && left() > 0; passed += LONG_LOOK_MS) await this.#pass(LONG_LOOK_MS);
    if (left() > 0) this.#problems.add(`${this.#names.size} objects, and ${left() - this.#names.size} caches are left`);
  }
}

/** The world of a seed, from its beginning to when nothing is left of it. */
export const liveImageCacheWorld = async (seed: number): Promise<ImageCacheWorldOutcome> => {
  const maxMs = seed % 3 === 0 ? 0 : 2_900;
  const stage = await ImageCacheStage.create({ readLag: { maxMs, monotonic: seed % 2 === 0 } });
  return new ImageCacheWorld(seed, stage).live();
};
