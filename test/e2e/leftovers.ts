import type { KubeTransport } from '../../src/kube/port.ts';

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly verbs: readonly string[] }[];
}
interface List {
  readonly items?: readonly { readonly metadata: { readonly namespace?: string; readonly name: string } }[];
}

/** By what an object is known as the product's, or as one that was made for it. */
const OURS = /(^|[-.:])knative-eip|^podeips\.|podeip-controller\.alibabacloud\.com$/u;
/** Events speak of objects that are gone, and go by themselves; APIServices are the API server's, for each kind. */
const TRACES = new Set(['events', 'events.events.k8s.io', 'apiservices.apiregistration.k8s.io']);

/** Every object of every kind of the cluster that has the product in its name: `resource.group namespace/name`. */
export const leftovers = async (transport: KubeTransport): Promise<string[]> => {
  const get = async <T>(path: string): Promise<T> => {
    const response = await transport({ method: 'GET', path });
    const body = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${body}`);
    return JSON.parse(body) as T;
  };
  const { groups } = await get<{ groups: { name: string; preferredVersion: { groupVersion: string } }[] }>('/apis');
  const found: string[] = [];
  for (const { group, base } of [
    { group: '', base: '/api/v1' },
    ...groups.map(({ name, preferredVersion }) => ({ group: name, base: `/apis/${preferredVersion.groupVersion}` })),
  ]) {
    const { resources } = await get<ResourceList>(base);
    for (const { name, verbs } of resources) {
      const resource = group === '' ? name : `${name}.${group}`;
      if (!verbs.includes('list') || TRACES.has(resource)) continue;
      const { items = [] } = await get<List>(`${base}/${name}`);
      for (const { metadata } of items)
        if (OURS.test(metadata.name) || resource.endsWith('.alibabacloud.com'))
          found.push(`${resource} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`);
    }
  }
  return found.toSorted((a, b) => a.localeCompare(b, 'en'));
};
