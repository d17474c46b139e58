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

const configuration = (plural: string, kind: string): Resource<WebhookConfiguration> => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});

export const MUTATING_WEBHOOKS = configuration('mutatingwebhookconfigurations', 'MutatingWebhookConfiguration');
export const VALIDATING_WEBHOOKS = configuration('validatingwebhookconfigurations', 'ValidatingWebhookConfiguration');
