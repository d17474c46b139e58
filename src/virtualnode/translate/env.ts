import type { ContainerEnv } from '../../cloud/container-groups.ts';
import type { WorkloadContainer, EnvVar } from '../workload-pod.ts';
import { fieldValue, POD_IP, resourceValue } from './fields.ts';
import { quote } from '../../lib/text.ts';
import type { Remarks, TranslationInput } from './input.ts';
import { LONGEST_VALUE, MOST_VARIABLES } from './eci-limits.ts';

/** Source: ECI API reference, CreateContainerGroup, Container.EnvironmentVar.Key. */
const ECI_KEY = /^[a-zA-Z_][0-9a-zA-Z_]{0,127}$/;

/**
 * Whether a variable of this name is passed on. The API reference has no `-` and `.`, but the vendor's own samples need
 * them (aliyuneci/Virtual-Kubelet-Example, eci-sls: `aliyun_logs_app-stdout`), and his provider passes them on
 * (virtual-kubelet/alibabacloud-eci). Where the cloud refuses one, it says so.
 */
const isPassedOn = (key: string): boolean => ECI_KEY.test(key.replaceAll('-', '_').replaceAll('.', '_'));

/** The variables of a container by name, in the order in which the kubelet computes them. */
export type Environment = ReadonlyMap<string, string | typeof POD_IP>;

/**
 * Resolves envFrom, env, references and `$(NAME)`. What cannot be resolved is added to `remarks`. Source: pkg/kubelet
 * makeEnvironmentVariables.
 */
export const environmentOf = (
  container: WorkloadContainer,
  at: string,
  input: TranslationInput,
  remarks: Remarks,
): Environment => {
  const environment = new Map<string, string | typeof POD_IP>(input.settings.serviceEnvironment);
  for (const [name, value] of fromReferences(container, at, input, remarks)) environment.set(name, value);
  container.env?.forEach((variable) => {
    const value = valueOf(variable, `${at}.env[${variable.name}]`, { container, environment, input, remarks });
    if (value !== undefined) environment.set(variable.name, value);
  });
  return environment;
};

/** Translates the variables to ECI. */
export const eciEnvironment = (environment: Environment, at: string, remarks: Remarks): ContainerEnv[] => {
  const variables: ContainerEnv[] = [];
  for (const [key, value] of environment) {
    const field = `${at}.env[${key}]`;
    if (!isPassedOn(key))
      remarks.refusals.push({
        field,
        problem: `ECI takes no variable of this name`,
        remedy: 'use 1–128 letters, digits, _, - and ., of which letters and _ may be first',
      });
    else if (value === POD_IP) variables.push({ key, fieldPath: 'status.podIP' });
    else if (value.length > LONGEST_VALUE)
      remarks.refusals.push({
        field,
        problem: `the value has ${value.length} characters, and ECI takes at most ${LONGEST_VALUE}`,
        remedy: 'mount it as a file from a ConfigMap or Secret, or shorten it',
      });
    else variables.push({ key, value });
  }
  if (variables.length > MOST_VARIABLES)
    remarks.refusals.push({
      field: `${at}.env`,
      problem: `there are ${variables.length} variables, and ECI takes at most ${MOST_VARIABLES}`,
      remedy: 'mount them as a file',
    });
  return variables;
};

function* fromReferences(
  { envFrom }: WorkloadContainer,
  at: string,
  { configMaps, secrets }: TranslationInput,
  remarks: Remarks,
): Generator<[string, string]> {
  for (const { prefix = '', configMapRef, secretRef } of envFrom ?? []) {
    const reference = configMapRef ?? secretRef;
    if (!reference) continue;
    const isSecret = secretRef !== undefined;
    const object = isSecret ? secrets.get(reference.name) : configMaps.get(reference.name);
    if (!object) {
      if (reference.optional !== true)
        remarks.missing.push({
          field: `${at}.envFrom`,
          problem: `there is no ${isSecret ? 'Secret' : 'ConfigMap'} ${reference.name}`,
          remedy: 'create it, or make the reference optional',
        });
      continue;
    }
    for (const [name, value] of Object.entries(object.data ?? {})) {
      const key = prefix + name;
      // The kubelet skips keys that are no valid names of variables; so does this, by ECI's rule: a key with a dot is
      // the name of a file rather.
      if (ECI_KEY.test(key)) yield [key, isSecret ? decode(value) : value];
      else
        remarks.notes.push({
          field: `${at}.envFrom`,
          problem: `the key ${key} of ${reference.name} is no name of a variable and is left out`,
          remedy: 'use letters, digits and underscores, no digit first',
        });
    }
  }
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** Where the value of a variable may come from, and where its problems are reported. */
interface Scope {
  readonly container: WorkloadContainer;
  /** The variables that were resolved before it. */
  readonly environment: Environment;
  readonly input: TranslationInput;
  readonly remarks: Remarks;
}

const valueOf = (
  { value = '', valueFrom }: EnvVar,
  field: string,
  { container, environment, input, remarks }: Scope,
): string | typeof POD_IP | undefined => {
  if (valueFrom?.fieldRef) {
    const { fieldPath } = valueFrom.fieldRef;
    const found = fieldValue(fieldPath, input);
    if (found === undefined)
      remarks.refusals.push({
        field,
        problem: `the field ${fieldPath} has no value on ECI`,
        remedy: 'refer to metadata, spec.nodeName, spec.serviceAccountName, status.podIP or status.hostIP',
      });
    return found;
  }
  if (valueFrom?.resourceFieldRef) {
    const ref = valueFrom.resourceFieldRef;
    const containerName = ref.containerName ?? container.name;
    return resourceValue({ ...ref, containerName }, field, input.pod, remarks);
  }
  if (valueFrom?.configMapKeyRef || valueFrom?.secretKeyRef) return keyOf(valueFrom, field, input, remarks);
  if (valueFrom) {
    remarks.refusals.push({ field, problem: `this source of a value is unknown`, remedy: 'write the value itself' });
    return undefined;
  }
  return isPodIp(value, environment) ? POD_IP : expand(value, environment, field, remarks);
};

/** The value of a key of a ConfigMap or Secret. */
const keyOf = (
  { configMapKeyRef, secretKeyRef }: NonNullable<EnvVar['valueFrom']>,
  field: string,
  { configMaps, secrets }: TranslationInput,
  remarks: Remarks,
): string | undefined => {
  const ref = configMapKeyRef ?? secretKeyRef;
  if (!ref) return undefined;
  const isSecret = configMapKeyRef === undefined;
  const found = (isSecret ? secrets : configMaps).get(ref.name)?.data?.[ref.key];
  if (found !== undefined) return isSecret ? decode(found) : found;
  if (ref.optional !== true)
    remarks.missing.push({
      field,
      problem: `there is no key ${ref.key} in a ${isSecret ? 'Secret' : 'ConfigMap'} ${ref.name}`,
      remedy: 'create it, or make the reference optional',
    });
  return undefined;
};

/**
 * Replaces `$(NAME)` by the value of a variable that was resolved before, and `$$` by a dollar sign. Source: kubernetes
 * third_party/forked/golang/expansion. The instance's address is not known yet, so that it is refused inside of a text.
 */
export const expand = (text: string, environment: Environment, field: string, remarks: Remarks): string => {
  let expanded = '';
  let done = 0;
  for (const { start, end, name } of referencesIn(text)) {
    const value = name === undefined ? '$' : environment.get(name);
    if (value === undefined) continue;
    if (value === POD_IP) {
      remarks.refusals.push({
        field,
        problem: `$(${name ?? ''}) is the instance's own address, which is known only once it runs`,
        remedy: 'let the container read the variable itself, for example in a shell',
      });
      continue;
    }
    expanded += text.slice(done, start) + value;
    done = end;
    if (expanded.length > LONGEST_EXPANDED) {
      remarks.refusals.push({
        field,
        problem: `with its variables, ${quote(text)} has more than ${LONGEST_EXPANDED} characters`,
        remedy: 'refer to shorter variables, or mount the text as a file from a ConfigMap or Secret',
      });
      return '';
    }
  }
  return expanded + text.slice(done);
};

/** Whether the text is nothing but a reference to the instance's address. */
const isPodIp = (text: string, environment: Environment): boolean => {
  const { value: only } = referencesIn(text).next();
  return only?.start === 0 && only.end === text.length && environment.get(only.name ?? '') === POD_IP;
};

/**
 * Limit on an expanded text, characters. Without it, forty variables that contain the one before twice would exhaust
 * any memory.
 */
const LONGEST_EXPANDED = 64 * 1024;

interface Reference {
  readonly start: number;
  readonly end: number;
  readonly name?: string;
}

/** Yields each `$(NAME)` and `$$`, in order; the latter has no name. Reads the text once, whatever it contains. */
function* referencesIn(text: string): Generator<Reference, undefined> {
  const lastClose = text.lastIndexOf(')');
  let start = text.indexOf('$');
  while (start >= 0) {
    let end = start + 1;
    if (text.startsWith('$$', start)) {
      end = start + 2;
      yield { start, end };
    } else if (text.startsWith('$(', start) && lastClose > start) {
      end = text.indexOf(')', start) + 1;
      yield { start, end, name: text.slice(start + 2, end - 1) };
    }
    start = text.indexOf('$', end);
  }
  return undefined;
}
