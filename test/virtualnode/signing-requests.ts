import { CERTIFICATE_SIGNING_REQUEST } from '../../src/api/csr.ts';

const { plural, group, version, kind } = CERTIFICATE_SIGNING_REQUEST;
/** The definition of the kind, which the embedded API does not have. */
export const SIGNING_REQUESTS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: 'Cluster',
    names: { plural, kind, singular: 'certificatesigningrequest', listKind: `${kind}List` },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};
