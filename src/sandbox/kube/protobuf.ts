import type { JsonObject } from './json-values.ts';

/**
 * How a field is read: a scalar, a message, or one of the forms that JSON has otherwise. `[]` means repeated. A pointer
 * is a number whose zero counts. Times are seconds and nanoseconds, maps are repeated pairs, an IntOrString is one or
 * the other by its type.
 */
type Reader =
  'string' | 'int' | 'pointer' | 'bool' | 'base64' | 'time' | 'intOrString' | 'stringMap' | 'bytesMap' | Message;

interface Field {
  readonly name: string;
  readonly reader: Reader;
  readonly repeated?: boolean;
}

type Message = Readonly<Record<number, Field>>;

const field = (name: string, reader: Reader = 'string'): Field => ({ name, reader });
const list = (name: string, reader: Reader = 'string'): Field => ({ name, reader, repeated: true });

const META: Message = {
  1: field('name'),
  2: field('generateName'),
  3: field('namespace'),
  4: field('selfLink'),
  5: field('uid'),
  6: field('resourceVersion'),
  7: field('generation', 'int'),
  8: field('creationTimestamp', 'time'),
  11: field('labels', 'stringMap'),
  12: field('annotations', 'stringMap'),
  13: list('ownerReferences', {
    1: field('kind'),
    3: field('name'),
    4: field('uid'),
    5: field('apiVersion'),
    6: field('controller', 'bool'),
    7: field('blockOwnerDeletion', 'bool'),
  }),
  14: list('finalizers'),
};

const CONTAINER: Message = {
  1: field('name'),
  2: field('image'),
  3: list('command'),
  4: list('args'),
  5: field('workingDir'),
  6: list('ports', {
    1: field('name'),
    2: field('hostPort', 'int'),
    3: field('containerPort', 'int'),
    4: field('protocol'),
    5: field('hostIP'),
  }),
  7: list('env', { 1: field('name'), 2: field('value') }),
  8: field('resources', {}),
  13: field('terminationMessagePath'),
  14: field('imagePullPolicy'),
  16: field('stdin', 'bool'),
  17: field('stdinOnce', 'bool'),
  18: field('tty', 'bool'),
  20: field('terminationMessagePolicy'),
};

const POD_SPEC: Message = {
  2: list('containers', CONTAINER),
  3: field('restartPolicy'),
  4: field('terminationGracePeriodSeconds', 'pointer'),
  6: field('dnsPolicy'),
  7: field('nodeSelector', 'stringMap'),
  8: field('serviceAccountName'),
  9: field('serviceAccount'),
  10: field('nodeName'),
  11: field('hostNetwork', 'bool'),
  12: field('hostPID', 'bool'),
  13: field('hostIPC', 'bool'),
  14: field('securityContext', {}),
  16: field('hostname'),
  17: field('subdomain'),
  19: field('schedulerName'),
  24: field('priorityClassName'),
};

const TEMPLATE: Message = { 1: field('metadata', META), 2: field('spec', POD_SPEC) };

const SERVICE_PORT: Message = {
  1: field('name'),
  2: field('protocol'),
  3: field('port', 'int'),
  4: field('targetPort', 'intOrString'),
  5: field('nodePort', 'int'),
};

/** Status is read over: the server sets it itself when it creates. */
const STATUS: Field = field('status', {});

const METADATA: Field = field('metadata', META);

const RULE: Message = {
  1: list('verbs'),
  2: list('apiGroups'),
  3: list('resources'),
  4: list('resourceNames'),
  5: list('nonResourceURLs'),
};

const SUBJECT: Message = { 1: field('kind'), 2: field('apiGroup'), 3: field('name'), 4: field('namespace') };

const BINDING: Message = {
  1: METADATA,
  2: list('subjects', SUBJECT),
  3: field('roleRef', { 1: field('apiGroup'), 2: field('kind'), 3: field('name') }),
};

const JOB_SPEC: Message = {
  1: field('parallelism', 'pointer'),
  2: field('completions', 'pointer'),
  3: field('activeDeadlineSeconds', 'pointer'),
  6: field('template', TEMPLATE),
  7: field('backoffLimit', 'pointer'),
  8: field('ttlSecondsAfterFinished', 'pointer'),
  9: field('completionMode'),
  10: field('suspend', 'bool'),
};

/**
 * The kinds that `kubectl create` and `kubectl auth` send as protobuf. Source of the numbers: generated.proto in
 * k8s.io/api.
 */
const KINDS: Readonly<Record<string, Message>> = {
  'v1/Namespace': { 1: METADATA, 2: field('spec', { 1: list('finalizers') }), 3: STATUS },
  'v1/ConfigMap': {
    1: METADATA,
    2: field('data', 'stringMap'),
    3: field('binaryData', 'bytesMap'),
    4: field('immutable', 'bool'),
  },
  'v1/Secret': {
    1: METADATA,
    2: field('data', 'bytesMap'),
    3: field('type'),
    4: field('stringData', 'stringMap'),
    5: field('immutable', 'bool'),
  },
  'v1/ServiceAccount': { 1: METADATA },
  'v1/Service': {
    1: METADATA,
    2: field('spec', {
      1: list('ports', SERVICE_PORT),
      2: field('selector', 'stringMap'),
      3: field('clusterIP'),
      4: field('type'),
      7: field('sessionAffinity'),
      8: field('loadBalancerIP'),
      10: field('externalName'),
      11: field('externalTrafficPolicy'),
      12: field('healthCheckNodePort', 'int'),
      13: field('publishNotReadyAddresses', 'bool'),
    }),
    3: STATUS,
  },
  'apps/v1/Deployment': {
    1: METADATA,
    2: field('spec', {
      1: field('replicas', 'pointer'),
      2: field('selector', { 1: field('matchLabels', 'stringMap') }),
      3: field('template', TEMPLATE),
      4: field('strategy', { 1: field('type') }),
      5: field('minReadySeconds', 'int'),
      6: field('revisionHistoryLimit', 'pointer'),
      7: field('paused', 'bool'),
      9: field('progressDeadlineSeconds', 'pointer'),
    }),
    3: STATUS,
  },
  'batch/v1/Job': { 1: METADATA, 2: field('spec', JOB_SPEC), 3: STATUS },
  'batch/v1/CronJob': {
    1: METADATA,
    2: field('spec', {
      1: field('schedule'),
      2: field('startingDeadlineSeconds', 'pointer'),
      3: field('concurrencyPolicy'),
      4: field('suspend', 'bool'),
      5: field('jobTemplate', { 1: METADATA, 2: field('spec', JOB_SPEC) }),
      6: field('successfulJobsHistoryLimit', 'pointer'),
      7: field('failedJobsHistoryLimit', 'pointer'),
      8: field('timeZone'),
    }),
    3: STATUS,
  },
  'authorization.k8s.io/v1/SelfSubjectAccessReview': {
    1: METADATA,
    2: field('spec', {
      1: field('resourceAttributes', {
        1: field('namespace'),
        2: field('verb'),
        3: field('group'),
        4: field('version'),
        5: field('resource'),
        6: field('subresource'),
        7: field('name'),
      }),
      2: field('nonResourceAttributes', { 1: field('path'), 2: field('verb') }),
    }),
    3: STATUS,
  },
  'authorization.k8s.io/v1/SelfSubjectRulesReview': {
    1: METADATA,
    2: field('spec', { 1: field('namespace') }),
    3: STATUS,
  },
  'authentication.k8s.io/v1/SelfSubjectReview': { 1: METADATA, 2: STATUS },
  'rbac.authorization.k8s.io/v1/Role': { 1: METADATA, 2: list('rules', RULE) },
  'rbac.authorization.k8s.io/v1/ClusterRole': { 1: METADATA, 2: list('rules', RULE) },
  'rbac.authorization.k8s.io/v1/RoleBinding': BINDING,
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': BINDING,
};

/** The kinds of wire that Kubernetes' messages use, and what is read from each. */
type Wire = bigint | Buffer;

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) break;
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new Error('the message ends within a number');
  }

  bytes(): Buffer {
    const length = Number(this.varint());
    if (length < 0 || this.#at + length > this.#bytes.length) throw new Error('the message ends within a field');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  next(): { number: number; value: Wire } {
    const tag = Number(this.varint());
    const type = tag & 7;
    if (type !== 0 && type !== 2) throw new Error(`wire type ${type} is not used by Kubernetes`);
    return { number: tag >>> 3, value: type === 0 ? this.varint() : this.bytes() };
  }
}

const fieldsOf = (bytes: Buffer): Map<number, Wire> => {
  const cursor = new Cursor(bytes);
  const found = new Map<number, Wire>();
  while (!cursor.done) {
    const { number, value } = cursor.next();
    found.set(number, value);
  }
  return found;
};

const text = (value: Wire | undefined): string => (Buffer.isBuffer(value) ? value.toString() : '');

const read = (reader: Reader, value: Wire, path: string): unknown => {
  if (reader === 'int' || reader === 'pointer') return Number(value);
  if (reader === 'bool') return value !== 0n;
  if (!Buffer.isBuffer(value)) throw new Error(`${path} is a number`);
  if (reader === 'string') return value.toString();
  if (reader === 'base64') return value.toString('base64');
  if (reader === 'time') {
    const seconds = fieldsOf(value).get(1);
    return seconds === undefined ? undefined : new Date(Number(seconds) * 1000).toISOString();
  }
  if (reader === 'intOrString') {
    const parts = fieldsOf(value);
    return parts.get(1) === 1n ? text(parts.get(3)) : Number(parts.get(2) ?? 0);
  }
  if (reader === 'stringMap' || reader === 'bytesMap') {
    const pair = fieldsOf(value);
    return {
      [text(pair.get(1))]:
        reader === 'stringMap' ? text(pair.get(2)) : read('base64', pair.get(2) ?? Buffer.alloc(0), path),
    };
  }
  return message(reader, value, path);
};

const message = (schema: Message, bytes: Buffer, path: string): JsonObject => {
  const result: JsonObject = {};
  const cursor = new Cursor(bytes);
  while (!cursor.done) {
    const { number, value } = cursor.next();
    const known = schema[number];
    // An empty schema stands for what the server sets itself.
    if (known === undefined && Object.keys(schema).length === 0) continue;
    if (known === undefined) throw new Error(`${path} has field ${number}, which is only understood as JSON or YAML`);
    const item = read(known.reader, value, `${path}.${known.name}`);
    // Go writes the zero value of what is not set.
    if (item === undefined || item === '' || (item === 0 && known.reader !== 'pointer') || item === false) continue;
    const before = result[known.name];
    if (known.repeated) result[known.name] = [...((before as unknown[] | undefined) ?? []), item];
    else if (known.reader === 'stringMap' || known.reader === 'bytesMap')
      result[known.name] = { ...(before as JsonObject), ...(item as JsonObject) };
    else result[known.name] = item;
  }
  return result;
};

const MAGIC = Buffer.from('k8s\0');

/**
 * An object in Kubernetes' protobuf encoding as JSON has it. kubectl sends what `kubectl create NAME` makes this way
 * and does not fall back. Throws for other kinds and for fields beyond what kubectl sets. Source of the envelope:
 * apimachinery pkg/runtime/serializer/protobuf.
 */
export const decodeProtobuf = (body: Buffer): JsonObject => {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('the body is not protobuf of Kubernetes');
  const unknown = fieldsOf(body.subarray(MAGIC.length));
  const type = fieldsOf(Buffer.from((unknown.get(1) as Buffer | undefined) ?? []));
  const [apiVersion, kind] = [text(type.get(1)), text(type.get(2))];
  const schema = KINDS[`${apiVersion}/${kind}`];
  if (schema === undefined) throw new Error(`${kind} of ${apiVersion} is only understood as JSON or YAML`);
  return { apiVersion, kind, ...message(schema, Buffer.from((unknown.get(2) as Buffer | undefined) ?? []), kind) };
};
