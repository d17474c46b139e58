import type { EnvVar } from '../workload-pod.ts';
import type { Remarks } from './input.ts';
import { LONGEST_VALUE } from './eci-limits.ts';

/*
 * Shortens variables of Knative's queue-proxy that are longer than ECI allows. Their meaning is in knative/serving
 * pkg/queue/sharedmain/main.go (type config) and pkg/observability/config.go.
 */

type Json = Readonly<Record<string, unknown>>;

/** A replacement for a value that is too long. `loss` says what it leaves out, if that matters. */
interface Shorter {
  readonly value: string;
  readonly loss?: string | undefined;
}

/**
 * The variable with at most {@link LONGEST_VALUE} characters, if queue-proxy accepts an equivalent value. Other
 * variables are returned unchanged.
 */
export const shortened = (variable: EnvVar, env: readonly EnvVar[], at: string, remarks: Remarks): EnvVar => {
  const { name, value } = variable;
  const shorten = SHORTENED[name];
  if (value === undefined || value.length <= LONGEST_VALUE || shorten === undefined) return variable;
  const shorter = shorten(value, env);
  if (shorter.loss !== undefined)
    remarks.notes.push({
      field: `${at}.env[${name}]`,
      problem: `the value has ${value.length} characters, and ECI takes at most ${LONGEST_VALUE}`,
      remedy: shorter.loss,
    });
  return { name, value: shorter.value };
};

const literal = (env: readonly EnvVar[], key: string): string | undefined =>
  env.find(({ name }) => name === key)?.value;

/** The first candidate that is short enough. */
const firstThatFits = (candidates: Iterable<unknown>): string | undefined => {
  for (const candidate of candidates) {
    const text = JSON.stringify(candidate);
    if (text !== undefined && text.length <= LONGEST_VALUE) return text;
  }
  return undefined;
};

const objectIn = (text: string): Json | undefined => {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const without = (object: Json, ...keys: readonly string[]): Json =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** Removes empty values: Go's encoding/json reads them like absent ones. */
const withoutEmpty = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, withoutEmpty(inner)] as const)
      .filter(([, inner]) => inner !== '' && inner !== null && inner !== false)
      .filter(([, inner]) => !isObject(inner) || Object.keys(inner).length > 0),
  );
};

/**
 * zap's configuration without its format. The name of an encoder may be empty, for zap's default, but must not be
 * missing: zap calls it without a check (go.uber.org/zap zapcore/json_encoder.go). So a key is removed together with
 * its encoder.
 */
function* loggingConfigs(given: Json): Generator<Json> {
  yield given;
  const encoder = isObject(given['encoderConfig']) ? given['encoderConfig'] : {};
  let slim = without(given, 'development', 'disableStacktrace', 'disableCaller', 'sampling');
  if (given['development'] === true) slim = { ...slim, development: true };
  let keys = without(encoder, 'lineEnding', 'durationEncoder', 'nameEncoder', 'functionKey');
  const next = (...gone: readonly string[]): Json => {
    keys = without(keys, ...gone);
    return { ...slim, encoderConfig: keys };
  };
  yield next();
  yield next('stacktraceKey');
  yield next('callerKey', 'callerEncoder');
  yield next('nameKey');
  slim = without(slim, 'errorOutputPaths');
  yield next();
}

/** First without empty fields, at last a mere TCP probe: the activator still learns when the container listens. */
function* readinessProbes(given: unknown): Generator {
  yield given;
  yield withoutEmpty(given);
  const isList = Array.isArray(given);
  const list = (isList ? given : [given]).filter(isObject);
  const ports = list.flatMap((probe) => {
    const port = ['httpGet', 'tcpSocket', 'grpc']
      .map((action) => probe[action])
      .filter(isObject)
      .map((action) => action['port'])[0];
    return port === undefined ? [] : [{ tcpSocket: { port, host: '127.0.0.1' } }];
  });
  if (ports.length > 0) yield isList ? ports : ports[0];
}

const NO_REQUEST_LOG = 'it is left out, and no request log is written';

const SHORTENED: Readonly<Record<string, (value: string, env: readonly EnvVar[]) => Shorter>> = {
  SERVING_LOGGING_CONFIG: (value) => {
    const given = objectIn(value);
    const text = given && firstThatFits(loggingConfigs(given));
    return text === undefined
      ? { value: '', loss: 'it is left empty: queue-proxy logs as it does without one, at SERVING_LOGGING_LEVEL' }
      : { value: text };
  },
  SERVING_READINESS_PROBE: (value) => {
    let given: unknown;
    try {
      given = JSON.parse(value);
    } catch {
      given = undefined;
    }
    const text = firstThatFits(readinessProbes(given));
    return text === undefined
      ? { value: '', loss: 'it is left empty: ECI alone asks the containers whether they are ready' }
      : { value: text };
  },
  // Before Knative 1.19 this was a variable of its own, which is set even if no requests are logged.
  SERVING_REQUEST_LOG_TEMPLATE: (_, env) => ({
    value: '',
    loss: literal(env, 'SERVING_ENABLE_REQUEST_LOG') === 'false' ? undefined : NO_REQUEST_LOG,
  }),
  OBSERVABILITY_CONFIG: (value) => {
    const given = withoutEmpty(objectIn(value) ?? {}) as Json;
    const isLogging = given['enableRequestLog'] === true;
    const slim = without(
      given,
      'requestLogTemplate',
      'enableRequestLog',
      'EnableVarLogCollection',
      'LoggingURLTemplate',
    );
    const text = Object.keys(slim).length > 0 ? firstThatFits([given, slim]) : undefined;
    if (text !== undefined)
      return { value: text, loss: isLogging && !('enableRequestLog' in JSON.parse(text)) ? NO_REQUEST_LOG : undefined };
    const none = { protocol: 'none' };
    return {
      value: JSON.stringify({ tracing: none, metrics: none, runtime: {}, requestMetrics: none }),
      loss: 'queue-proxy exports no metrics and no traces of its own',
    };
  },
};
