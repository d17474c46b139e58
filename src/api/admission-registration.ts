import type { KubeObject, Resource } from '../kube/port.ts';

/** What both kinds of webhook configurations have. */
interface WebhookConfiguration extends KubeObject {
  readonly webhooks?:
    | readonly {
        readonly name: string;
        readonly failurePolicy?: string | undefined;
        readonly clientConfig: { readonly caBundle?: string | undefined };
      }[]
    | undefined;
}

/** A kind of the group by which the API server learns what to ask, and what to refuse, at admission. */
export const admissionKind = <T extends KubeObject>(plural: string, kind: string): Resource<T> => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});

export const MUTATING_WEBHOOKS = admissionKind<WebhookConfiguration>(
  'mutatingwebhookconfigurations',
  'MutatingWebhookConfiguration',
);
export const VALIDATING_WEBHOOKS = admissionKind<WebhookConfiguration>(
  'validatingwebhookconfigurations',
  'ValidatingWebhookConfiguration',
);
