import test from 'ava';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { routedRevisions } from '../../src/webhook/revisions.ts';
import { KNATIVE_REVISION } from '../../src/api/knative.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube, ObjectRef } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog as log } from '../../src/lib/log.ts';
import { EXISTING, NEW, ONE, service, settings } from '../rules/manifests.ts';

type Answer = { readonly response: { readonly allowed: boolean; readonly warnings?: readonly string[] } };

type Templated = { readonly spec: { readonly template: { readonly metadata: object; readonly spec: object } } };

const OLD = 'web-00001';
const SPLIT = [
  { revisionName: OLD, percent: 50 },
  { latestRevision: true, percent: 50 },
];

/** An API server that has the first Revision of the Service, or says what is thrown. */
const review = async (annotations: object, before: object, after: object, fault?: Error) => {
  const asked: string[] = [];
  const get = async ({ plural }: { readonly plural: string }, { name }: ObjectRef) => {
    if (plural !== KNATIVE_REVISION.plural) return undefined;
    asked.push(name);
    if (fault) throw fault;
    return name === OLD ? { metadata: { name, annotations: EXISTING } } : undefined;
  };
  const kube = { list: async () => [], get } as unknown as Kube;
  const known = routedRevisions({ kube, clock, log });
  const reviewers = createReviewers({ kube, clock, log, settings, provider: 'add-on', known });
  const made = (parts: object) => {
    const object = service({ annotations: { ...annotations, ...ONE } }) as { readonly spec: object };
    return {
      ...object,
      spec: { ...object.spec, ...parts },
      status: { latestCreatedRevisionName: 'web-00002' },
    };
  };
  const answer = (await reviewers['/validate/workloads']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'UPDATE',
      resource: { group: 'serving.knative.dev', version: 'v1', resource: 'services' },
      namespace: 'default',
      object: made(after),
      oldObject: made(before),
    },
  })) as Answer;
  return { answer: answer.response, asked };
};

test('who splits the traffic between two Revisions that name one EIP is warned, with both names and what to write', async (t) => {
  const { answer, asked } = await review(EXISTING, {}, { traffic: SPLIT });
  t.true(answer.allowed);
  t.deepEqual(asked, [OLD]);
  t.deepEqual(answer.warnings, [
    'ExistingEipInTwoRevisions: eip-bp1 is named by Revision web-00001 and by the latest Revision, web-00002; spec.traffic routes to all of them, and an EIP can serve one pod only; name another EIP in the template, or route to one of them only',
  ]);
});

test('who routes by name to the Revision that the template names, and to an older one with the same EIP, is warned', async (t) => {
  const { metadata, spec } = (service({ annotations: { ...EXISTING, ...ONE } }) as Templated).spec.template;
  const template = { metadata: { ...metadata, name: 'web-v2' }, spec };
  const traffic = [OLD, 'web-v2'].map((revisionName) => ({ revisionName, percent: 50 }));
  const { answer, asked } = await review(EXISTING, {}, { template, traffic });
  t.deepEqual(asked, [OLD], 'the one of the template is not there yet');
  t.regex(answer.warnings?.join() ?? '', /^ExistingEipInTwoRevisions: .* by the latest Revision, web-v2; /u);
});

test('nothing is asked for a Service that names no EIP, and nothing said of traffic that did not change', async (t) => {
  t.deepEqual(await review(NEW, {}, { traffic: SPLIT }).then(({ asked }) => asked), []);
  const unchanged = await review(EXISTING, { traffic: SPLIT }, { traffic: SPLIT });
  t.deepEqual([unchanged.asked, unchanged.answer.warnings], [[], undefined]);
  const pinned = await review(EXISTING, {}, { traffic: [{ revisionName: OLD, percent: 100 }] });
  t.is(pinned.answer.warnings, undefined, 'one Revision alone');
});

test('a Service is let in without a word where Revisions cannot be read, and a mistake of ours is not hidden', async (t) => {
  for (const kind of ['forbidden', 'notFound', 'unavailable'] as const) {
    const { answer } = await review(EXISTING, {}, { traffic: SPLIT }, new KubeFault({ kind, message: 'no' }));
    t.deepEqual([answer.allowed, answer.warnings], [true, undefined], kind);
  }
  await t.throwsAsync(review(EXISTING, {}, { traffic: SPLIT }, new TypeError('a mistake of ours')), {
    instanceOf: TypeError,
  });
});
