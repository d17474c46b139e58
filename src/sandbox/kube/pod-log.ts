import { ALLOCATED_ADDRESS, READINESS_GATE } from '../../api/annotations.ts';
import type { Backend, RequestTarget } from './backend.ts';
import { badRequest } from './failure-status.ts';
import { arrayOf, at, isObject, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import { Lines } from './lines.ts';
import { get } from './read.ts';

/** A line of a log; `time` is RFC 3339. */
interface LogLine {
  readonly time: string;
  readonly text: string;
}

const named = (list: unknown, name: string): JsonObject | undefined =>
  arrayOf(list)
    .filter(isObject)
    .find((one) => one['name'] === name);

/**
 * What a container would have printed: no process runs in the sandbox, and the log says so. Beside that it has what
 * became of the pod, so that somebody who follows it sees the address come. In the order of time.
 */
const linesOf = (pod: ApiObject, container: string): readonly LogLine[] => {
  const state = at(named(pod.status?.['containerStatuses'], container), 'state');
  const ended = at(state, 'terminated');
  const started = stringOf(at(state, 'running', 'startedAt')) || stringOf(at(ended, 'startedAt'));
  if (started === '') return [];
  const image = stringOf(at(named(pod.spec?.['containers'], container), 'image'));
  const gate = arrayOf(pod.status?.['conditions'])
    .filter(isObject)
    .find(({ type }) => type === READINESS_GATE);
  const address = pod.metadata.annotations?.[ALLOCATED_ADDRESS];
  const told = stringOf(gate?.['lastTransitionTime']) || started;
  const exitCode = at(ended, 'exitCode');
  return [
    { time: started, text: `the sandbox runs no processes: this stands for what ${image} would print` },
    { time: started, text: `started with the address ${stringOf(pod.status?.['podIP'])}` },
    ...(address === undefined ? [] : [{ time: told < started ? started : told, text: `public address ${address}` }]),
    ...(ended === undefined
      ? []
      : [{ time: stringOf(at(ended, 'finishedAt')), text: `stopped with exit code ${String(exitCode)}` }]),
  ];
};

/** The container that is meant. Source: validateContainer of kubernetes pkg/registry/core/pod/strategy.go. */
const containerOf = (pod: ApiObject, wanted: string): string => {
  const names = arrayOf(pod.spec?.['containers'])
    .filter(isObject)
    .map(({ name }) => stringOf(name));
  const [only = ''] = names;
  const { name } = pod.metadata;
  if (wanted === '' && names.length > 1)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`);
  if (wanted !== '' && !names.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  return wanted || only;
};

/** A number of a query that is 0 or more; undefined where it is not there. */
const numberOf = (query: URLSearchParams, key: string): number | undefined => {
  const text = query.get(key);
  if (text === null) return undefined;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw badRequest(`${key}: ${JSON.stringify(text)} is no number; write 0 or more`);
  return number;
};

/** `GET …/pods/NAME/log`: the whole text, or with `follow` the lines as they come until the pod goes. */
export const podLog = (
  backend: Backend,
  target: RequestTarget,
  query: URLSearchParams,
  signal: AbortSignal | undefined,
): string | AsyncIterable<string> => {
  const { storage, clock } = backend;
  const pod = get(backend, target);
  const { name, uid } = pod.metadata;
  const container = containerOf(pod, query.get('container') ?? '');
  if (query.get('previous') === 'true')
    throw badRequest(
      `previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} not found`,
    );
  const isFollowed = query.get('follow') === 'true';
  const lines = linesOf(pod, container);
  if (lines.length === 0 && !isFollowed)
    throw badRequest(
      `container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} is waiting to start: ContainerCreating`,
    );
  const seconds = numberOf(query, 'sinceSeconds');
  const since = seconds === undefined ? Date.parse(query.get('sinceTime') ?? '') : clock.now() - seconds * 1_000;
  const recent = lines.filter(({ time }) => Number.isNaN(since) || Date.parse(time) >= since);
  const tail = numberOf(query, 'tailLines') ?? Infinity;
  const isTimed = query.get('timestamps') === 'true';
  const print = ({ time, text }: LogLine): string => `${isTimed ? `${time} ` : ''}${text}\n`;
  const shown = recent.slice(Math.max(0, recent.length - tail));
  if (!isFollowed) return shown.map(print).join('').slice(0, numberOf(query, 'limitBytes'));

  const cleanups: (() => void)[] = [];
  const stream = new Lines(() => cleanups.forEach((cleanup) => cleanup()));
  const seen = new Set(lines.map(({ text }) => text));
  for (const line of shown) stream.push(print(line));
  const follow = (now: ApiObject): void => {
    for (const line of linesOf(now, container))
      if (!seen.has(line.text)) {
        seen.add(line.text);
        stream.push(print(line));
      }
    if (at(named(now.status?.['containerStatuses'], container), 'state', 'terminated') !== undefined) stream.end();
  };
  cleanups.push(
    storage.subscribe(({ store, type, object }) => {
      if (store !== target.kind.store || object.metadata.uid !== uid) return;
      follow(object);
      if (type === 'DELETED') stream.end();
    }),
  );
  // By itself, because a signal that has aborted already ends the stream here, and the subscription with it.
  cleanups.push(stream.endWith(signal));
  follow(pod);
  return stream;
};
