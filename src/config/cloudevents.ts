import * as z from 'zod';
import { absolutePath, int, rule, textRule } from './config-rule.ts';

/**
 * Where machines answer with credentials, and no sink is: link-local addresses, 169.254.169.254 among them (RFC 3927,
 * RFC 4291), and the metadata service of ECS (ECS documentation, Instance metadata).
 */
const isMetadata = (host: string): boolean =>
  host.startsWith('169.254.') || host === '100.100.100.200' || /^\[(?:fe[89ab]|::ffff:(?:a9fe|6464:64c8))/i.test(host);

/** http or https, with a host, and neither user nor fragment. */
const isSink = (text: string): boolean => {
  const url = URL.parse(text);
  if (url && isMetadata(url.hostname)) return false;
  return (url?.protocol === 'http:' || url?.protocol === 'https:') && url.username === '' && url.hash === '';
};

/**
 * Names of extension attributes (CloudEvents 1.0, Naming Conventions); those of the specification are not extensions.
 */
const EXTENSION =
  /^(?!(?:id|source|specversion|type|subject|time|data|datacontenttype|dataschema|sequence)$)[a-z0-9]{1,20}$/;

const overridesSchema = z.strictObject({
  extensions: z.record(z.string().regex(EXTENSION), z.string()).default({}),
});

/** Reads the JSON of K_CE_OVERRIDES: knative/pkg apis/duck/v1/source_types.go, CloudEventOverrides. */
const readOverrides = (text: string): z.infer<typeof overridesSchema> | undefined => {
  try {
    return overridesSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** `cloudEvents`: what happens to addresses, as CloudEvents to a sink. Names as Knative's sources have them. */
export const cloudEvents = z
  .strictObject({
    sink: z
      .string()
      .max(2048)
      .refine(isSink)
      .optional()
      .meta(
        rule(
          'Where the events go; without it none are made. Default: the variable K_SINK, which a SinkBinding sets.',
          'a URL, not of a metadata service, such as http://broker-ingress.knative-eventing.svc.cluster.local/default/default',
        ),
      ),
    mode: z
      .enum(['binary', 'structured'])
      .default('binary')
      .meta(rule('How an event is laid out in the HTTP request.', 'one of binary, structured')),
    retryWindowSeconds: int(60, 604_800)
      .default(86_400)
      .meta(
        rule(
          'How old an event may be when its delivery fails and it is still tried again, in seconds; then it is dropped and counted.',
          'a whole number from 60 to 604800',
        ),
      ),
    timeoutSeconds: int(1, 120)
      .default(10)
      .meta(rule('How long one delivery may take, in seconds.', 'a whole number from 1 to 120')),
    caCertificates: textRule(/-----BEGIN CERTIFICATE-----/, 1_048_576)
      .optional()
      .meta(
        rule(
          'Certificates that the sink may be signed by, beside those of the system. Default: the variable K_CA_CERTS.',
          'certificates in PEM',
        ),
      ),
    tokenFile: absolutePath(
      'A file with the bearer token for the sink. Default: /oidc/token, where a SinkBinding puts it, if that is there.',
    ),
    overrides: z
      .string()
      .max(65_536)
      .refine((value) => readOverrides(value) !== undefined)
      .transform((value) => readOverrides(value))
      .optional()
      .meta(
        rule(
          'Extension attributes for each event. Default: the variable K_CE_OVERRIDES.',
          'JSON such as {"extensions":{"team":"edge"}}, with names of a–z and 0–9',
        ),
      ),
  })
  .prefault({})
  .meta(rule('CloudEvents about what happens to addresses.', 'a mapping'));
