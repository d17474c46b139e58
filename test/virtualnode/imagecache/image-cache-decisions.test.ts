import test from 'ava';
import { IMAGE_CACHE_ATTEMPT, IMAGE_CACHE_FINALIZER, type ImageCache } from '../../../src/api/imagecache.ts';
import type { CloudImageCache } from '../../../src/cloud/image-caches.ts';
import { decideImageCache } from '../../../src/virtualnode/imagecache/decide.ts';
import { imageCacheRequest } from '../../../src/virtualnode/imagecache/image-cache-request.ts';
import type { ObservedImageCache, TrackedImageCache } from '../../../src/virtualnode/imagecache/observation.ts';
import { SETTINGS } from './image-cache-stage.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const OURS = { finalizers: [IMAGE_CACHE_FINALIZER] };
const GOING = { deletionTimestamp: '2026-11-20T12:00:00Z' };

const object = (metadata: object = OURS, more: Partial<ImageCache> = {}): ImageCache => ({
  metadata: { name: 'sample', uid: 'u', resourceVersion: '1', ...metadata },
  spec: { images: ['centos'] },
  ...more,
});
const cache = (imageCacheId: string, more: Partial<CloudImageCache> = {}): CloudImageCache => ({
  imageCacheId,
  status: 'Ready',
  progress: '100%',
  creationTime: '2026-11-20T11:00:00Z',
  tags: new Map(),
  events: [],
  ...more,
});
const memory: TrackedImageCache = { quietMs: 0, wasListed: false, missingMs: 0 };
const decide = (over: Partial<ObservedImageCache>, remembered: Partial<TrackedImageCache> = {}) =>
  decideImageCache(
    { object: object(), caches: [], secrets: undefined, now: NOW, ...over, memory: { ...memory, ...remembered } },
    SETTINGS,
  );

const LISTED = {
  status: { imageCacheId: 'imc-1', phase: 'Ready', progress: '100%', startTime: '2026-11-20T11:00:00Z' },
};
const REFUSAL = { reason: 'CloudRefused', message: 'No.Such: no, request 1', topic: 'No.Such:', attempt: 0 };

test('a process that died anywhere, or another one, goes on from what is to be seen', (t) => {
  const going = object({ ...OURS, ...GOING });
  const cases: [string, ReturnType<typeof decide>, object][] = [
    ['new: the finalizer comes before all else', decide({ object: object({}) }), { do: 'Claim' }],
    ['going, and not ours', decide({ object: object(GOING) }), { do: 'Done' }],
    ['another controller’s, unseen', decide({ object: object({}, LISTED), caches: undefined }), { do: 'ReadCaches' }],
    ['another controller’s', decide({ object: object({}, LISTED) }), { do: 'Done' }],
    [
      'ours, whose finalizer is gone',
      decide({ object: object({}, LISTED), caches: [cache('imc-1')] }),
      { do: 'Claim' },
    ],
    ['claimed: the account is asked first', decide({ caches: undefined }), { do: 'ReadCaches' }],
    ['none in the account', decide({}), { do: 'CreateCache' }],
    [
      'no answer: the same once more',
      decide({}, { unanswered: createdBy() }),
      { do: 'CreateCache', spec: createdBy() },
    ],
    ['adopted by its tags', decide({ caches: [cache('imc-1')] }), { do: 'WriteStatus' }],
    ['answered, not listed', decide({}, { createdId: 'imc-1' }), { do: 'WriteStatus' }],
    ['written, not listed yet', decide({ object: object(OURS, LISTED) }), { do: 'Wait' }],
    [
      'not found by its tags: it is asked for by its ID',
      decide({ object: object(OURS, LISTED) }, { missingMs: SETTINGS.missingMs }),
      { do: 'ReadByIds', imageCacheIds: ['imc-1'] },
    ],
    [
      'gone for good: it is said, and nothing is made',
      decide({ object: object(OURS, LISTED), byIds: [] }, { missingMs: SETTINGS.missingMs }),
      { do: 'WriteStatus' },
    ],
    ['at rest', decide({ object: object(OURS, LISTED), caches: [cache('imc-1')] }), { do: 'Wait', ms: 600_000 }],
    [
      'two: the later one goes',
      decide({ caches: [cache('imc-1'), cache('imc-2')] }),
      { do: 'DeleteCache', imageCacheId: 'imc-2' },
    ],
    [
      'two of the same second: the same one goes, in whichever order they are listed',
      decide({ caches: [cache('imc-2'), cache('imc-1')] }),
      { do: 'DeleteCache', imageCacheId: 'imc-2' },
    ],
    [
      'two: the older one stays, whatever its ID',
      decide({ caches: [cache('imc-1', { creationTime: '2026-11-20T11:00:01Z' }), cache('imc-2')] }),
      { do: 'DeleteCache', imageCacheId: 'imc-1' },
    ],
    [
      'two: the one that the status names stays',
      decide({ object: object(OURS, LISTED), caches: [cache('imc-0'), cache('imc-1')] }),
      { do: 'DeleteCache', imageCacheId: 'imc-0' },
    ],
    ['going', decide({ object: going, caches: [cache('imc-1')] }), { do: 'DeleteCache', imageCacheId: 'imc-1' }],
    [
      'going, asked',
      decide({ object: going, caches: [cache('imc-1')] }, { deletion: { imageCacheId: 'imc-1', agoMs: 1 } }),
      { do: 'Wait' },
    ],
    [
      'going, without effect',
      decide({ object: going, caches: [cache('imc-1')] }, { deletion: { imageCacheId: 'imc-1', agoMs: 20_000 } }),
      { do: 'DeleteCache' },
    ],
    ['going, answered and not listed', decide({ object: going }, { createdId: 'imc-1' }), { do: 'DeleteCache' }],
    ['going, nothing known', decide({ object: going }, { quietMs: SETTINGS.settleMs - 1 }), { do: 'Wait', ms: 1 }],
    ['going, nothing can come any more', decide({ object: going }, { quietMs: SETTINGS.settleMs }), { do: 'LetGo' }],
    [
      'going, one that only the status names is asked for by its ID',
      decide({ object: object({ ...OURS, ...GOING }, LISTED) }, { quietMs: SETTINGS.settleMs }),
      { do: 'ReadByIds', imageCacheIds: ['imc-1'] },
    ],
    [
      'going, listed a moment ago',
      decide({ object: going }, { wasListed: true, missingMs: SETTINGS.readLagMs - 1 }),
      { do: 'Wait', ms: 1 },
    ],
    ['refused', decide({}, { refusal: { ...REFUSAL, dueInMs: 9 } }), { do: 'WriteStatus' }],
    [
      'refused: a request of before may still take effect',
      decide({}, { refusal: { ...REFUSAL, dueInMs: 0 }, quietMs: SETTINGS.settleMs - 1 }),
      { do: 'Wait', ms: 1 },
    ],
    [
      'refused, and due: another token',
      decide({}, { refusal: { ...REFUSAL, dueInMs: 0 }, quietMs: SETTINGS.settleMs }),
      { do: 'BeginAttempt', attempt: 1 },
    ],
  ];
  for (const [title, step, expected] of cases) t.like(step, expected, title);
});

/** What the object says after a step; undefined where it is not a status that is written. */
const written = ({ status }: ImageCache, step: ReturnType<typeof decide>): ImageCache['status'] =>
  step.do === 'WriteStatus' ? step.status : status;

const tagged = (tags: object) => [cache('imc-1', { tags: new Map(Object.entries(tags)) })];

test('a cache that is not found by its tags is neither called gone nor let go nor deleted before its ID shows whose it is', (t) => {
  const both = { 'knative-eip/cluster-uid': SETTINGS.clusterUid, 'knative-eip/image-cache-uid': 'u' };
  const cluster = { 'knative-eip/cluster-uid': SETTINGS.clusterUid };
  const another = { ...both, 'knative-eip/image-cache-uid': 'v' };
  const late = { quietMs: SETTINGS.settleMs, missingMs: SETTINGS.missingMs, wasListed: true };
  const [kept, going] = [object(OURS, LISTED), object({ ...OURS, ...GOING }, LISTED)];
  const begun = (tags: object) => decide({ object: kept, byIds: tagged(tags) }, late);
  const ended = (tags: object) => decide({ object: going, byIds: tagged(tags) }, late);
  for (const tags of [{}, cluster]) {
    const step = begun(tags);
    t.like(step, { do: 'WriteStatus', status: { phase: 'Failed' }, happening: { reason: 'ImageCacheUntagged' } });
    const held = { object: { ...kept, status: written(kept, step) }, byIds: tagged(tags) };
    t.like(decide(held, late), { do: 'Wait', ms: 600_000 }, 'told once, and looked at again');
    const last = ended(tags);
    t.like(last, { do: 'WriteStatus', happening: { type: 'Warning', reason: 'ImageCacheUntagged' } });
    t.regex(last.do === 'WriteStatus' ? (last.happening?.note ?? '') : '', /finalizer .*image-cache off by hand/u);
    const heldGoing = { ...going, status: written(going, last) };
    t.like(decide({ object: heldGoing, byIds: tagged(tags) }, late), { do: 'Wait', ms: 30_000 });
    t.like(decide({ object: heldGoing, byIds: [] }, late), { do: 'LetGo' });
  }
  t.like(begun(another), { do: 'WriteStatus', happening: { reason: 'ImageCacheOfAnother' } });
  t.like(ended(another), { do: 'LetGo' });
  // A list by tags that leaves out what carries them.
  t.like(begun(both), { do: 'Wait', because: 'imc-1 is Ready' });
  t.like(ended(both), { do: 'DeleteCache', imageCacheId: 'imc-1' });
  // The status was not written any more, or names another one.
  const answered = { ...late, createdId: 'imc-2' };
  t.like(decide({ object: going }, answered), { do: 'ReadByIds', imageCacheIds: ['imc-1', 'imc-2'] });
});

test('whatever of the object a cache was made of, that it is changed later without effect is told; nothing else is', (t) => {
  const request = imageCacheRequest({ object: object(), secrets: undefined }, SETTINGS);
  const tags = new Map(request.kind === 'spec' ? request.spec.tags.map(({ key, value }) => [key, value]) : []);
  const annotated = (key: string) => object({ ...OURS, annotations: { [`k8s.aliyun.com/${key}`]: 'true' } }, LISTED);
  const edited = (spec: object) => object(OURS, { ...LISTED, spec: { images: ['centos'], ...spec } });
  const toldOf = (it: ImageCache, made = tags) => decide({ object: it, caches: [cache('imc-1', { tags: made })] });
  for (const changed of [
    edited({ images: ['busybox'] }),
    edited({ images: ['centos', 'busybox'] }),
    edited({ imageCacheSize: 40 }),
    edited({ retentionDays: 7 }),
    annotated('imc-enable-flash'),
  ])
    t.like(toldOf(changed), { do: 'WriteStatus', happening: { type: 'Warning', reason: 'ImageCacheUnchanged' } });
  for (const same of [edited({}), edited({ imagePullSecrets: ['default:pull'] }), annotated('eci-use-specs')])
    t.is(toldOf(same).do, 'Wait');
  t.is(
    toldOf(edited({ images: ['busybox'] }), new Map()).do,
    'Wait',
    'one that was made before this was written on it',
  );
  // That it is Ready is told first, and neither is told twice.
  const begun = { status: { ...LISTED.status, phase: 'Creating' }, spec: { images: ['busybox'] } };
  const ready = toldOf(object(OURS, begun));
  t.like(ready, { do: 'WriteStatus', status: { phase: 'Ready' }, happening: { reason: 'ImageCacheReady' } });
  const afterwards = (step: typeof ready) =>
    object(OURS, { ...begun, ...('status' in step && { status: step.status }) });
  const told = toldOf(afterwards(ready));
  t.like(told, { do: 'WriteStatus', happening: { reason: 'ImageCacheUnchanged' } });
  t.is(toldOf(afterwards(told)).do, 'Wait');
});

test('what is gone is looked for again, and why it failed stays to be read; the same refusal is told once', (t) => {
  const late = { missingMs: SETTINGS.missingMs };
  const events = [{ type: 'Warning', reason: 'Failed', message: 'no such host', count: 1 }];
  const expireDateTime = new Date(NOW - 1).toISOString();
  for (const phase of ['Failed', 'UpdateFailed']) {
    const failed = object(OURS, { status: { ...LISTED.status, phase, expireDateTime, events } });
    const status = written(failed, decide({ object: failed, byIds: [] }, late));
    t.like(status, { phase, events: [{ message: 'no such host' }, { reason: 'ImageCacheGone' }] });
    t.like(decide({ object: { ...failed, status }, byIds: [] }, late), { do: 'Wait', ms: 600_000 });
  }
  const deleted = object(OURS, { status: { ...LISTED.status, expireDateTime: new Date(NOW + 1).toISOString() } });
  const status = written(deleted, decide({ object: deleted, byIds: [] }, late));
  t.like(status, { phase: 'Failed', events: [{ reason: 'ImageCacheGone' }] });
  t.like(
    decide({ object: { ...deleted, status }, byIds: [], now: NOW + 2 }, late),
    { do: 'Wait' },
    'deleted, not expired',
  );
  const refusal = { ...REFUSAL, dueInMs: 9 };
  const refused = { ...object(), status: written(object(), decide({}, { refusal })) };
  const again = (message: string, topic: string) =>
    decide({ object: refused }, { refusal: { ...refusal, message, topic } });
  t.like(again('No.Such: no, request 2', 'No.Such:'), { do: 'Wait', ms: 9 });
  t.like(again('Other: no, request 3', 'Other:'), { do: 'WriteStatus' });
});

const createdBy = (over: Partial<ImageCache> = {}) => {
  const request = imageCacheRequest({ object: object(OURS, over), secrets: undefined }, SETTINGS);
  if (request.kind === 'refused') throw new Error(request.problem);
  return request.spec;
};

test('the token is the object’s and the attempt’s, whoever asks, and another object has another one', (t) => {
  t.is(createdBy().clientToken, createdBy({ spec: { images: ['other'] } }).clientToken);
  const others = [{ uid: 'v' }, { annotations: { [IMAGE_CACHE_ATTEMPT]: '1' } }].map(
    (more) => createdBy({ metadata: { ...object().metadata, ...more } }).clientToken,
  );
  t.is(new Set([createdBy().clientToken, ...others]).size, 3);
  const number = (text: string) =>
    createdBy({ metadata: { ...object().metadata, annotations: { [IMAGE_CACHE_ATTEMPT]: text } } });
  for (const text of ['', '-1', '1e9', 'x', '9'.repeat(40)]) t.is(number(text).clientToken, createdBy().clientToken);
});

const annotated = (annotations: Readonly<Record<string, string>>, spec: Partial<ImageCache['spec']> = {}) =>
  imageCacheRequest(
    { object: object({ annotations }, { spec: { images: ['centos'], ...spec } }), secrets: undefined },
    SETTINGS,
  );

test('what the object says goes into the request, and what cannot be is refused with its field', (t) => {
  t.like(
    annotated({
      'k8s.aliyun.com/vswitch-ids': 'vsw-8,vsw-9',
      'k8s.aliyun.com/security-group-id': 'sg-9',
      'k8s.aliyun.com/resource-group-id': 'rg-9',
      'k8s.aliyun.com/acr-instance-ids': 'cn-beijing:cri-9',
      'k8s.aliyun.com/plain-http-registry': 'a.example.com:5000',
      'k8s.aliyun.com/imc-enable-flash': 'true',
    }),
    {
      kind: 'spec',
      spec: {
        vSwitchId: 'vsw-8',
        securityGroupId: 'sg-9',
        resourceGroupId: 'rg-9',
        plainHttpRegistries: ['a.example.com:5000'],
        flash: true,
      },
      notes: [
        'metadata.annotations[k8s.aliyun.com/vswitch-ids]: CreateImageCache takes one vSwitch, and the first is used; write the one that has room first',
      ],
    },
  );
  const wrong: [RegExp, ReturnType<typeof annotated>][] = [
    [/^spec\.images: there are 0 images/u, annotated({}, { images: [] })],
    [/^spec\.images: there are 21 images/u, annotated({}, { images: Array.from({ length: 21 }, () => 'x') })],
    [/^spec\.imagePullSecrets: "pull" is no Secret/u, annotated({}, { imagePullSecrets: ['pull'] })],
    [/"default:\.\." is no Secret/u, annotated({}, { imagePullSecrets: ['default:..'] })],
    [/"default:\." is no Secret/u, annotated({}, { imagePullSecrets: ['default:.'] })],
    [/"-a:pull" is no Secret/u, annotated({}, { imagePullSecrets: ['-a:pull'] })],
    [/^spec\.imageCacheSize: it is 19/u, annotated({}, { imageCacheSize: 19 })],
    [/^spec\.retentionDays: it is 0/u, annotated({}, { retentionDays: 0 })],
    [/vswitch-ids\]: "eni-1" is not possible/u, annotated({ 'k8s.aliyun.com/vswitch-ids': 'eni-1' })],
    [/imc-enable-flash\]: "yes" is not possible/u, annotated({ 'k8s.aliyun.com/imc-enable-flash': 'yes' })],
  ];
  for (const [problem, request] of wrong) t.regex(request.kind === 'refused' ? request.problem : '', problem);
});
