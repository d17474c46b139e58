import * as z from 'zod';
import { parseHostPort } from '../lib/address.ts';
import { absolutePath, int, rule } from './config-rule.ts';

/** `health`: what the kubelet asks. */
export const health = z
  .strictObject({
    address: z
      .string()
      .refine((value) => parseHostPort(value) !== undefined)
      .default('0.0.0.0:8081')
      .meta(rule('Where /healthz and /readyz are served, over plain HTTP.', 'host:port such as 0.0.0.0:8081')),
  })
  .prefault({})
  .meta(rule('What the kubelet asks. It has a listener of its own, so that nothing keeps its answers.', 'a mapping'));

/** `metrics`: where /metrics is, what it shows, and to whom. */
export const metrics = z
  .strictObject({
    address: z
      .string()
      .refine((value) => parseHostPort(value) !== undefined)
      .default('0.0.0.0:8443')
      .meta(rule('Where /metrics is served.', 'host:port such as 0.0.0.0:8443')),
    tls: z
      .boolean()
      .default(true)
      .meta(
        rule(
          'Whether /metrics is served over TLS. Without it the token of whoever reads them crosses the network in plain text, and so do the addresses of all namespaces.',
          'true or false',
        ),
      ),
    certificateDirectory: absolutePath(
      'Where tls.crt and tls.key for /metrics are, for example from cert-manager. Without it each process makes a certificate for itself, which nobody can verify.',
    ),
    authorization: z
      .boolean()
      .default(true)
      .meta(
        rule(
          'Whether only those may read /metrics whose token the API server knows and who may get the path /metrics, which the role knative-eip-metrics-reader allows. Without it whoever reaches the port reads the addresses of all namespaces.',
          'true or false',
        ),
      ),
    addressLimit: int(0, 100_000)
      .default(2_000)
      .meta(
        rule(
          'Up to so many addresses in use are listed one by one in knative_eip_address_info; with more of them, none is.',
          'a whole number from 0 to 100000',
        ),
      ),
    revisionLimit: int(0, 100_000)
      .default(2_000)
      .meta(
        rule(
          'Up to so many series has knative_eip_revision_eips; with more Revisions only their Services are told apart, and then only namespaces.',
          'a whole number from 0 to 100000',
        ),
      ),
  })
  .prefault({})
  .meta(rule('Where /metrics is, what it shows, and to whom.', 'a mapping'));
