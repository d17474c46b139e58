import * as z from 'zod';
import { ISPS } from '../api/eip.ts';
import { parseEndpoint, parseHostPort } from '../lib/address.ts';
import { announcement } from './announcement.ts';
import { namespaceLimits } from './namespace-limits.ts';
import { leaderElection } from './leader-election.ts';
import { priceTable } from './prices.ts';
import { cloudEvents } from './cloudevents.ts';
import { networkController } from './network-controller.ts';
import { int, NAMESPACE_NAME, rule, textRule, type ConfigRule } from './config-rule.ts';
import { SecretText } from './secret.ts';
import { sweeper } from './garbage-collection.ts';
import { virtualNode } from './virtual-node.ts';
import { health, metrics } from './health-and-metrics.ts';
import { webhook } from './webhook.ts';

/** A key whose value never leaves the process. An empty text means not set, as in the Helm chart's values. */
const secret = (description: string) =>
  z
    .string()
    .max(4096)
    .transform((value) => (value === '' ? undefined : new SecretText(value)))
    .optional()
    .meta(rule(description, 'a text', { secret: true }));

const endpoint = (service: string, otherwise = 'the host inside the VPC where it answers, otherwise the public one') =>
  z
    .string()
    .refine((value) => parseEndpoint(value) !== undefined)
    .optional()
    .meta(
      rule(
        `Where the ${service} API is reached. Default: ${otherwise}.`,
        'host, host:port, http://host[:port] or https://host[:port], without path or user',
      ),
    );

/**
 * The configuration file. Where a key exists in the Helm values of ack-extend-network-controller (ACK, "Attach an
 * independent EIP to a pod"), it has the same name and meaning here.
 */
export const schema = z.strictObject({
  clusterID: textRule(/^[A-Za-z0-9_-]+$/, 128).meta(
    rule('The ID of the ACK cluster. It is written into the tags of every EIP.', '1–128 of A–Z, a–z, 0–9, - and _'),
  ),
  regionID: textRule(/^[a-z]{2}-[a-z0-9-]+$/, 64).meta(
    rule('The region of the cluster.', 'a region ID such as cn-hangzhou'),
  ),
  vpcID: textRule(/^vpc-[a-z0-9-]+$/, 64).meta(
    rule('The VPC of the cluster. Network interfaces are looked up in it only.', 'a VPC ID such as vpc-bp1rkq0zxxxxxx'),
  ),
  enableControllers: z
    .array(z.literal('eip'))
    .min(1)
    .default(['eip'])
    .meta(
      rule(
        'The controllers to run.',
        'a list with the one word "eip": this product has no other controller, and does not run beside the eip controller of ack-extend-network-controller',
      ),
    ),
  networkController,
  enableVirtualNode: z
    .boolean()
    .default(false)
    .meta(rule('Whether pods on ECI virtual nodes get addresses from this controller too.', 'true or false')),
  enableRRSA: z
    .boolean()
    .default(false)
    .meta(
      rule(
        'Whether to sign in to the cloud with the RAM role of the service account (RRSA), and with nothing else.',
        'true or false',
      ),
    ),
  rrsaRoleName: textRule(/^[A-Za-z0-9.-]*$/, 64)
    .transform((value) => (value === '' ? undefined : value))
    .optional()
    .meta(rule('The RAM role that RRSA must give.', 'at most 64 of A–Z, a–z, 0–9, . and -')),
  credential: z
    .strictObject({
      accessKey: secret('The AccessKey ID. Better given as ALIBABA_CLOUD_ACCESS_KEY_ID.'),
      accessSecret: secret('The AccessKey secret. Better given as ALIBABA_CLOUD_ACCESS_KEY_SECRET.'),
      securityToken: secret('The token of temporary credentials. Better given as ALIBABA_CLOUD_SECURITY_TOKEN.'),
    })
    .prefault({})
    .meta(
      rule('Credentials of the cloud account. Not needed with RRSA or with a role of the node.', 'a mapping', {
        secret: true,
      }),
    ),
  kubeClientQPS: z
    .number()
    .gt(0)
    .max(1000)
    .default(200)
    .meta(
      rule(
        'Calls to the API server per second, in the long run. API Priority and Fairness guards the server.',
        'a number above 0, at most 1000',
      ),
    ),
  kubeClientBurst: int(1, 2000)
    .default(400)
    .meta(rule('Calls to the API server that may come at once.', 'a whole number from 1 to 2000')),
  endpoints: z
    .strictObject({
      vpc: endpoint('VPC'),
      ecs: endpoint('ECS'),
      eci: endpoint('ECI'),
      sts: endpoint('STS', 'that of ALIBABA_CLOUD_STS_REGION; otherwise as the others, always over HTTPS'),
    })
    .prefault({})
    .meta(rule('Where the cloud APIs are reached, where it is not the usual place.', 'a mapping')),
  http: z
    .strictObject({
      address: z
        .string()
        .refine((value) => parseHostPort(value) !== undefined)
        .default('127.0.0.1:8080')
        .meta(
          rule(
            'Where the status page is served: on the loopback address kubectl port-forward reaches it, and other pods do not.',
            'host:port such as 127.0.0.1:8080',
          ),
        ),
      statusPage: z
        .enum(['local', 'everybody', 'off'])
        .default('local')
        .meta(
          rule(
            'Who sees the status page at /, which shows the addresses of all namespaces and asks nobody who they are: local is whoever comes from the same pod or by kubectl port-forward, which RBAC guards; everybody is whoever reaches http.address.',
            'one of local, everybody, off',
          ),
        ),
    })
    .prefault({})
    .meta(rule('The status page.', 'a mapping')),
  docsURL: z
    .url({ protocol: /^https?$/u })
    .max(512)
    .optional()
    .meta(
      rule(
        'Where you have published the folder docs, so that refusals, conditions, Warning Events and the status page lead to the page about their reason. With {page} for the name of a page where pages do not end in .md. Without it there are no links.',
        'a URL such as https://wiki.example.com/knative-eip/docs, or https://wiki.example.com/knative-eip/{page}/',
      ),
    ),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .meta(rule('The least important lines that are logged.', 'one of trace, debug, info, warn, error, fatal')),
  logFormat: z
    .enum(['json', 'pretty', 'auto'])
    .default('auto')
    .meta(rule('How lines are logged; auto is pretty on a terminal.', 'one of json, pretty, auto')),
  leaderElection,
  existingEips: z
    .enum(['firstUse', 'granted', 'any'])
    .default('firstUse')
    .meta(
      rule(
        'Which pods may name an existing EIP. firstUse: those of the namespace that used it first (its EipHolder says which); granted: only those that an operator grants it to; any: all, so that whoever may create a pod can take the EIP of another namespace while its pod is away.',
        'one of firstUse, granted, any',
      ),
    ),
  existingEipIdleDays: z
    .int()
    .min(0)
    .max(3_650)
    .default(30)
    .meta(
      rule(
        'With existingEips: firstUse, after how many days in which nothing in its namespace has named an EIP another namespace may use it; 0: never.',
        'a whole number of days from 0 to 3650',
      ),
    ),
  existingEipNamespaces: z
    .array(textRule(NAMESPACE_NAME, 63))
    .default([])
    .meta(
      rule(
        'The namespaces whose pods may name any existing EIP, with existingEips: firstUse or granted.',
        'a list of namespaces',
      ),
    ),
  otherEipControllers: z
    .enum(['refuse', 'ignore'])
    .default('refuse')
    .meta(
      rule(
        'What happens while ack-extend-network-controller or the EIP pool of Terway is in the cluster, or a Terway that was not restarted since knative-eip migrate switched that off: refuse serves no new request, because both would buy; ignore is for installations of them whose EIP part is off.',
        'one of refuse, ignore',
      ),
    ),
  allowEipRob: z
    .boolean()
    .default(false)
    .meta(
      rule(
        'Whether an existing EIP that a pod names may be detached from what it is bound to, in namespaces with the label k8s.aliyun.com/allow-eip-rob: "true".',
        'true or false',
      ),
    ),
  adoptPodEIPsCreatedBefore: z.iso
    .datetime({ offset: true })
    .optional()
    .meta(
      rule(
        'PodEIPs of ack-extend-network-controller or Terway that were created before this time are taken over. Set it once that controller is uninstalled.',
        'a time such as 2026-11-21T10:00:00Z',
      ),
    ),
  eipDefaults: z
    .strictObject({
      bandwidth: int(1, 500)
        .default(5)
        .meta(rule('Peak bandwidth, Mbit/s.', 'a whole number from 1 to 500, and at most 200 with PayByTraffic')),
      internetChargeType: z
        .enum(['PayByTraffic', 'PayByBandwidth'])
        .default('PayByTraffic')
        .meta(rule('What is paid for.', 'one of PayByTraffic, PayByBandwidth')),
      isp: z
        .enum(ISPS)
        .default('BGP')
        .meta(rule('Line type.', `one of ${ISPS.join(', ')}`)),
    })
    .prefault({})
    .meta(rule('What a new EIP is like where the pod does not say.', 'a mapping')),
  announcement,
  namespaceLimits,
  cloud: z
    .strictObject({
      apiShare: z
        .number()
        .min(0.01)
        .max(1)
        .default(1)
        .meta(rule("The share of the account's API rates that this cluster may use.", 'a number from 0.01 to 1')),
      eipQuota: int(1, 1_000_000)
        .optional()
        .meta(
          rule(
            'How many pay-as-you-go EIPs the account may have. Where it is written, namespaces that hold their share or more leave the last tenth to others; metrics and alerts take 20 where it is not.',
            'a whole number from 1 to 1000000',
          ),
        ),
      checkAccount: z
        .boolean()
        .default(true)
        .meta(
          rule(
            "Whether nothing is done before one of the cluster's own ECS nodes is found with these credentials, in regionID and vpcID: in another account every EIP would look as if somebody had released it.",
            'true or false',
          ),
        ),
      settleSeconds: int(1, 300)
        .default(20)
        .meta(
          rule(
            'How long after the last change a request that got no answer may still take effect, in seconds.',
            'a whole number from 1 to 300',
          ),
        ),
    })
    .prefault({})
    .meta(rule('The cloud.', 'a mapping')),
  knative: z
    .strictObject({
      watch: z
        .boolean()
        .default(true)
        .meta(rule('Whether Knative Services are told how their addresses stand, by Events.', 'true or false')),
      holdOffSeconds: int(0, 3600)
        .default(0)
        .meta(
          rule(
            'How long the new EIP of a pod that is gone is kept for the next pod of the same Service with the same request, in seconds; 0 gives it back at once.',
            'a whole number from 0 to 3600',
          ),
        ),
      serviceCondition: z
        .boolean()
        .default(false)
        .meta(rule('Whether they get the condition EIPReady, too; needs config/service-condition.', 'true or false')),
    })
    .prefault({})
    .meta(rule('Knative Serving, which may be installed or not.', 'a mapping')),
  webhook,
  virtualNode,
  health,
  metrics,
  priceTable,
  cloudEvents,
  sweeper,
});

/** What may be written in the file. */
export type ConfigInput = z.input<typeof schema>;

type Frozen<T> = T extends SecretText
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Frozen<T[Key]> }
      : T;

/** The effective configuration: complete, checked and frozen all the way down. */
export type Config = Frozen<z.output<typeof schema>>;

/** Other places where a key may be written: releases of the Helm chart and its documentation differ in them. */
export const ALIASES: readonly { readonly alias: readonly string[]; readonly key: readonly string[] }[] = [
  { alias: ['networkController', 'vpcid'], key: ['vpcID'] },
  { alias: ['networkController', 'vpcID'], key: ['vpcID'] },
  { alias: ['customStatefulWorkloadKinds'], key: ['networkController', 'customStatefulWorkloadKinds'] },
];

const unwrap = (type: z.core.$ZodType): z.core.$ZodType =>
  type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodPrefault
    ? unwrap(type.unwrap())
    : type;

/** The type at a key path, without its default; undefined where there is no such key. */
const typeAt = (path: readonly PropertyKey[]): z.core.$ZodType | undefined => {
  let type: z.core.$ZodType | undefined = schema;
  for (const key of path) {
    const object: z.core.$ZodType = unwrap(type);
    if (object instanceof z.ZodArray && typeof key === 'number') {
      type = object.element;
      continue;
    }
    if (!(object instanceof z.ZodObject) || !Object.hasOwn(object.shape, key)) return undefined;
    type = (object.shape as Record<PropertyKey, z.core.$ZodType>)[key];
    if (!type) return undefined;
  }
  return type;
};

/** What is said about a key; undefined where there is no such key. */
export const ruleAt = (path: readonly PropertyKey[]): ConfigRule | undefined => {
  const type = typeAt(path);
  return type && (z.globalRegistry.get(type) as ConfigRule | undefined);
};

/** The keys of the mapping at a key path; undefined where there is no mapping. */
export const keysAt = (path: readonly PropertyKey[]): string[] | undefined => {
  const type = typeAt(path);
  const object = type && unwrap(type);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : undefined;
};

const leavesBelow = (path: readonly string[]): readonly (readonly string[])[] =>
  (keysAt(path) ?? []).flatMap((key) => (keysAt([...path, key]) ? leavesBelow([...path, key]) : [[...path, key]]));

let allLeaves: ReturnType<typeof leavesBelow> | undefined;

/** The paths of all keys that hold values, in the order of the schema. */
export const leaves = (): readonly (readonly string[])[] => (allLeaves ??= leavesBelow([]));

/** The JSON Schema of the file, for editors: `# yaml-language-server: $schema=…`. */
export const configSchema = (): object => {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      delete jsonSchema['allowed'];
      delete jsonSchema['secret'];
    },
  });
  type Node = { properties?: Record<string, Node>; required?: string[]; [key: string]: unknown };
  const root = made as Node;
  const at = (path: readonly string[]) => path.reduce<Node | undefined>((node, key) => node?.properties?.[key], root);
  for (const { alias, key } of ALIASES) {
    const parent = at(alias.slice(0, -1));
    const name = alias.at(-1);
    if (!parent?.properties || name === undefined) continue;
    const { default: _, ...same } = at(key) ?? {};
    parent.properties[name] = { ...same, description: `Another name of ${key.join('.')}.` };
  }
  // vpcID has aliases, so an editor must not insist on it; the loader does.
  root.required = root.required?.filter((key) => key !== 'vpcID') ?? [];
  return { ...root, title: 'Configuration of knative-eip' };
};
