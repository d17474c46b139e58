import type { Reading } from '../../src/doctor/reader/ask.ts';
import type { ReadFacts } from '../../src/doctor/reader/read-facts.ts';
import { knownAs } from '../../src/doctor/facts.ts';
import type { Kube, KubeResponse } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { factsOf } from './healthy.ts';

const unasked = () => Promise.reject(new Error('doctor does not ask for this'));

/** A cluster that has these objects of each plural, and answers everything else with a text. */
export const readingOf = (objects: Readonly<Record<string, readonly unknown[]>>, text = ''): Reading => {
  const of = (plural: string): readonly unknown[] => objects[plural] ?? [];
  const kube: Kube = {
    get: (resource) => Promise.resolve(of(resource.plural)[0] as never),
    list: (resource) => Promise.resolve(of(resource.plural) as never),
    create: unasked,
    replace: unasked,
    patch: unasked,
    delete: unasked,
  };
  const response: KubeResponse = {
    status: 200,
    header: () => undefined,
    text: () => Promise.resolve(text),
    async *lines() {
      yield await Promise.resolve(text);
    },
  };
  return {
    kube,
    transport: () => Promise.resolve(response),
    clock,
    signal: new AbortController().signal,
    isInPod: false,
  };
};

/** What was read of a healthy cluster that has these PodEIPs. */
export const readOf = (podEips: readonly unknown[] = []): ReadFacts => ({
  facts: factsOf(),
  installation: {
    isNamed: true,
    namespace: 'knative-eip-system',
    serviceAccount: undefined,
    nodeAccount: undefined,
    part: undefined,
    deployments: knownAs([]),
    leases: knownAs([]),
    configuration: knownAs(undefined),
    loaded: undefined,
  },
  objects: { podEips: knownAs(podEips as never), policies: knownAs([]), namespaces: knownAs([]) },
});
