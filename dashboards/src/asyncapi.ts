import { changeSchema, CHANGES, schemaId, type ChangeKind } from '../../src/cloudevents/change.ts';
import { typeOf } from '../../src/cloudevents/event.ts';

/** What each event tells, in one sentence. */
const SUMMARIES: Readonly<Record<ChangeKind, string>> = {
  allocated:
    'The pod has an EIP of its own: bought, made by the virtual node, or taken over from an earlier pod of the Service.',
  associated: 'The EIP is bound to the pod.',
  disassociated: 'The EIP is no longer bound to the pod.',
  released: 'The EIP was given back to the cloud.',
  failed: 'There is no address, or no release, until somebody acts.',
  conflict: 'The same, because somebody else wants or has the EIP, or because the annotations contradict each other.',
  drift: 'Somebody else changed or removed an EIP that was in use.',
};

const text = (description: string, more: object = {}) => ({ type: 'string', description, ...more });

/** The attributes of an event as headers of the binary mode (CloudEvents HTTP protocol binding, 3.1). */
const attributes = (kind: ChangeKind) => ({
  'ce-specversion': text('Version of CloudEvents', { const: '1.0' }),
  'ce-id': text('Together with source what is the same of an event that comes again'),
  'ce-source': text('Cluster and PodEIP: /clusters/<clusterID>/namespaces/<namespace>/podeips/<name>/<UID>'),
  'ce-type': text('What has happened', { const: typeOf(kind) }),
  'ce-subject': text('The pod: /api/v1/namespaces/<namespace>/pods/<name>'),
  'ce-time': text('When the controller noticed', { format: 'date-time' }),
  'ce-dataschema': text('The $id of the schema of the data', { const: schemaId(kind) }),
  'ce-sequence': text('Counts the events of one source from 1, without gaps, padded with zeros'),
  'ce-partitionkey': text('Namespace and Knative Service, or pod: what must stay in order'),
  'ce-namespace': text('Namespace of the pod'),
  'ce-pod': text('Name of the pod'),
  'ce-region': text('Region of the cluster'),
  'ce-service': text('Name of the Knative Service, where the pod is of one'),
  'ce-revision': text('Name of the Knative Revision, where the pod is of one'),
  'ce-eipid': text('ID of the EIP, where there is one'),
  'ce-eipaddress': text('The public IPv4 address, where it is known'),
  'ce-reason': text('The reason in the data, where it has one'),
});

/** Attributes that not every event has. */
const OPTIONAL = ['ce-service', 'ce-revision', 'ce-eipid', 'ce-eipaddress', 'ce-reason'];

const messageOf = (kind: ChangeKind) => {
  const headers = attributes(kind);
  const { $schema: _schema, $id: _id, ...payload } = changeSchema(kind) as Record<string, unknown>;
  return {
    name: typeOf(kind),
    title: `eip.${kind}.v1`,
    summary: SUMMARIES[kind],
    contentType: 'application/json',
    headers: {
      type: 'object',
      properties: headers,
      required: Object.keys(headers).filter((name) => !OPTIONAL.includes(name)),
    },
    payload,
  };
};

/**
 * What is sent to a sink, as an AsyncAPI document (https://www.asyncapi.com/docs/reference/specification/v3.0.0), made
 * from the schemas by which events are made. It has no server and no address: the sink is the user's.
 */
export const asyncApi = () => {
  const names = CHANGES.map((kind) => `eip.${kind}.v1`);
  const messages = Object.fromEntries(CHANGES.map((kind) => [`eip.${kind}.v1`, messageOf(kind)]));
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'CloudEvents of knative-eip',
      version: '1.0.0',
      description:
        'What happens to the public addresses (EIPs) of pods and Knative Services, as CloudEvents 1.0 over HTTP in binary mode: at least once, and in order for each address. Within a version, data and headers may gain properties. knative/cloudevents/README.md says when events come again, and when they are given up.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: {
      sink: {
        title: 'Sink',
        description:
          'cloudEvents.sink of the configuration, or K_SINK of a Knative SinkBinding: a Broker, or a Service.',
        messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
      },
    },
    operations: {
      send: {
        action: 'send',
        channel: { $ref: '#/channels/sink' },
        summary: 'Each change of an address is sent once the sink is there, and again until it answers 2xx.',
        bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } },
        messages: names.map((name) => ({ $ref: `#/channels/sink/messages/${name}` })),
      },
    },
    components: { messages },
  };
};
