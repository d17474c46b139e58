import { stringify } from 'yaml';

const NAME = 'sandbox';

/**
 * A kubeconfig for an API server at a plain http URL, as YAML. kubectl needs nothing more than the URL;
 * @kubernetes/client-node refuses http unless TLS verification is off, which kubectl accepts as well.
 */
export const kubeconfig = (url: string): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: NAME, cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: NAME, user: {} }],
    contexts: [{ name: NAME, context: { cluster: NAME, user: NAME, namespace: 'default' } }],
    'current-context': NAME,
  });
