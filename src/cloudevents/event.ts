import { CloudEvent, HTTP } from 'cloudevents';
import { schemaId, type EipChange, type ChangeKind } from './change.ts';

/** What events say beside the change. */
export interface EventContext {
  /** `clusterID` of the configuration. */
  readonly clusterId: string;
  readonly regionId: string;
  /** Extension attributes from K_CE_OVERRIDES, added to every event. */
  readonly extensions: Readonly<Record<string, string>>;
}

/** `binary`: attributes in headers, data in the body · `structured`: everything in the body. */
export type EventMode = 'binary' | 'structured';

/** An HTTP request without its target. */
export interface EventMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const typeOf = (kind: ChangeKind): string => `com.alibabacloud.knative-eip.eip.${kind}.v1`;

/**
 * Makes the CloudEvent of a change: the same change always gives the same event. `source` names cluster and PodEIP,
 * with its UID, so that `sequence` is contiguous within one source (CloudEvents, extension Sequence); it is padded with
 * zeros, so that it also sorts as a text. `partitionkey` keeps the events of one Service, or of one pod name, in order
 * in systems that partition (CloudEvents, extension Partitioning).
 */
export const eventOf = (
  { kind, sequence, at, data }: EipChange,
  context: EventContext,
): CloudEvent<EipChange['data']> => {
  const { namespace, pod, podEIPUID, service, revision, allocationID, address } = data;
  const { reason } = data as { readonly reason?: string };
  const source = ['clusters', context.clusterId, 'namespaces', namespace, 'podeips', pod, podEIPUID];
  const count = String(sequence).padStart(10, '0');
  return new CloudEvent({
    id: `${podEIPUID}-${count}`,
    source: `/${source.map((part) => encodeURIComponent(part.toWellFormed())).join('/')}`,
    type: typeOf(kind),
    subject: `/api/v1/namespaces/${namespace}/pods/${pod}`,
    time: new Date(at).toISOString(),
    dataschema: schemaId(kind),
    datacontenttype: 'application/json',
    sequence: count,
    partitionkey: `${namespace}/${service ?? pod}`,
    namespace,
    pod,
    region: context.regionId,
    ...(service !== undefined && { service }),
    ...(revision !== undefined && { revision }),
    ...(allocationID !== undefined && { eipid: allocationID }),
    ...(address !== undefined && { eipaddress: address }),
    ...(reason !== undefined && { reason }),
    ...context.extensions,
    data,
  });
};

/**
 * The request that carries an event. The SDK writes attributes into headers unchanged, so that characters that HTTP
 * does not allow are percent-encoded here (CloudEvents HTTP protocol binding, 3.1.3.2).
 */
export const messageOf = (event: CloudEvent<EipChange['data']>, mode: EventMode): EventMessage => {
  const { headers, body } = mode === 'binary' ? HTTP.binary(event) : HTTP.structured(event);
  const encoded = Object.entries(headers).map(([name, value]) => [
    name,
    name.toLowerCase().startsWith('ce-') ? encodeHeader(String(value)) : String(value),
  ]);
  return { headers: Object.fromEntries(encoded) as Record<string, string>, body: String(body) };
};

/**
 * Limit on the length of an attribute in a header, characters. The longest real one, two names with separators, has
 * 317.
 */
const LONGEST_ATTRIBUTE = 1_024;

const encodeHeader = (value: string): string =>
  // Encodes everything but printable ASCII, and also space, quotation mark and percent sign.
  value
    .slice(0, LONGEST_ATTRIBUTE)
    .replaceAll(/[^\x21\x23\x24\x26-\x7E]+/gu, (text) =>
      [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
