import * as z from 'zod';
import { parseHostPort } from '../lib/address.ts';
import { absolutePath, NAMESPACE_NAME, OBJECT_NAME, rule, textRule } from './config-rule.ts';

const NAME = 'lower-case letters, digits, - and ., at most 253';

/** `webhook`: what prepares pods and Knative Services, and refuses contradictions. */
export const webhook = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .meta(rule('Whether the webhooks are served; config/webhook tells the API server of them.', 'true or false')),
    address: z
      .string()
      .refine((value) => parseHostPort(value) !== undefined)
      .default('0.0.0.0:9443')
      .meta(rule('Where they are served, over TLS.', 'host:port such as 0.0.0.0:9443')),
    serviceName: textRule(NAMESPACE_NAME, 63)
      .default('knative-eip-webhook')
      .meta(
        rule(
          'The Service that the API server calls them by, in the namespace of the Lease; the certificate names it.',
          'the name of a Service',
        ),
      ),
    configurationName: textRule(OBJECT_NAME, 253)
      .default('knative-eip')
      .meta(
        rule(
          'The MutatingWebhookConfiguration and ValidatingWebhookConfiguration whose caBundles are kept right.',
          NAME,
        ),
      ),
    onConflict: z
      .enum(['refuse', 'warn'])
      .default('refuse')
      .meta(
        rule(
          'What becomes of an object whose annotations contradict each other: it is refused, or let in with a warning. In either case nothing is bought for it.',
          'one of refuse, warn',
        ),
      ),
    secretName: textRule(OBJECT_NAME, 253)
      .default('knative-eip-webhook')
      .meta(rule('The Secret, in the namespace of the Lease, through which replicas share the certificate.', NAME)),
    hosts: z
      .array(textRule(/^[A-Za-z0-9.:-]+$/, 253))
      .default([])
      .meta(
        rule(
          'Further names and addresses that the API server calls them by, for one that is outside of the cluster.',
          'a list of DNS names and IP addresses',
        ),
      ),
    certificateDirectory: absolutePath(
      'Where tls.crt and tls.key are, for example from cert-manager, which then also keeps the caBundle. Without it the controller makes and renews a certificate itself.',
    ),
    clientCA: absolutePath(
      'A file with the authority of the client certificates that API servers show webhooks (PEM), where theirs are set up to do so; whoever shows none of its certificates is not answered. Without it everybody who reaches the port is answered; see config/network-policy.',
    ),
  })
  .prefault({})
  .meta(rule('The webhooks, which prepare pods and Knative Services as they are made.', 'a mapping'));
