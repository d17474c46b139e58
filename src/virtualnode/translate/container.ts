import type { ContainerSpec, VolumeMount } from '../../cloud/container-groups.ts';
import type { WorkloadContainer, WorkloadPod } from '../workload-pod.ts';
import { eciEnvironment, environmentOf, expand, type Environment } from './env.ts';
import type { Remarks, TranslationInput } from './input.ts';
import { LONGEST_IMAGE, MOST_ITEMS } from './eci-limits.ts';
import { hookOf, probeOf } from './container-probe.ts';
import { parseQuantity } from './quantity.ts';
import { withoutStartupProbe } from './startup-probe.ts';

const GIB = 2 ** 30;
/** The only capabilities that ECI can add: CreateContainerGroup, SecurityContext.Capability.Add. */
const CAPABILITIES = new Set(['NET_ADMIN', 'NET_RAW']);
const PROPAGATIONS = ['None', 'HostToContainer', 'Bidirectional'] as const;

/** Translates a container to ECI. `at` is its field, for example `spec.containers[app]`. */
export const containerOf = (
  given: WorkloadContainer,
  at: string,
  input: TranslationInput,
  remarks: Remarks,
): ContainerSpec => {
  refuseWhatCannotBe(given, at, input.pod, remarks);
  const container = withoutStartupProbe(given, at, remarks);
  const environment = environmentOf(container, at, input, remarks);
  const texts = (list: readonly string[] | undefined, field: string) =>
    list?.map((text, index) => expand(text, environment, `${at}.${field}[${index}]`, remarks));
  const { name, image, imagePullPolicy, workingDir, stdin, stdinOnce, tty } = container;
  const { terminationMessagePath, terminationMessagePolicy } = container;
  const command = texts(container.command, 'command');
  const arg = texts(container.args, 'args');
  const variables = eciEnvironment(environment, at, remarks);
  return compact({
    name,
    image,
    ...limitsOf(container, at, remarks),
    command,
    arg,
    imagePullPolicy,
    workingDir,
    environmentVar: variables.length > 0 ? variables : undefined,
    port: portsOf(container, at, remarks),
    volumeMount: container.volumeMounts?.map((mount) => mountOf(mount, at, environment, remarks)),
    readinessProbe: probeOf(container, 'readinessProbe', at, remarks),
    livenessProbe: probeOf(container, 'livenessProbe', at, remarks),
    postStart: hookOf(container.lifecycle?.postStart, container, `${at}.lifecycle.postStart`, remarks),
    preStop: hookOf(container.lifecycle?.preStop, container, `${at}.lifecycle.preStop`, remarks),
    ...securityOf(container, input),
    stdin,
    stdinOnce,
    tty,
    terminationMessagePath,
    terminationMessagePolicy,
  });
};

/**
 * Translates an init container to ECI, whose InitContainer.N has no parameters for groups, runAsNonRoot, hooks, probes
 * and terminals.
 */
export const initContainerOf = (
  container: WorkloadContainer,
  at: string,
  input: TranslationInput,
  remarks: Remarks,
): ContainerSpec => {
  const refuse = (field: string, problem: string, remedy: string) =>
    remarks.refusals.push({ field: `${at}.${field}`, problem, remedy });
  const {
    readinessProbe,
    livenessProbe,
    postStart,
    preStop,
    runAsGroup,
    runAsNonRoot,
    stdin,
    stdinOnce: _,
    tty,
    ...rest
  } = containerOf(container, at, input, remarks);
  for (const [field, value] of Object.entries({ readinessProbe, livenessProbe, stdin, tty }))
    if (value) refuse(field, 'ECI has none for an init container', 'leave it out');
  if (postStart || preStop) refuse('lifecycle', 'ECI has none for an init container', 'leave it out');
  if (runAsGroup)
    refuse(
      'securityContext.runAsGroup',
      `ECI cannot run an init container with the group ${runAsGroup}`,
      'give the containers a group of their own instead of the pod, or do the work in one of them',
    );
  // A user ID other than 0 needs no check.
  if (runAsNonRoot && !rest.runAsUser)
    refuse('securityContext.runAsNonRoot', 'ECI does not check it for an init container', 'set runAsUser too');
  return rest;
};

const refuseWhatCannotBe = (container: WorkloadContainer, at: string, pod: WorkloadPod, remarks: Remarks): void => {
  const refuse = (field: string, problem: string, remedy: string) =>
    remarks.refusals.push({ field: `${at}.${field}`, problem, remedy });
  const { securityContext, volumeDevices, restartPolicy } = container;
  if (securityContext?.privileged === true)
    refuse('securityContext.privileged', 'true is not possible on ECI', 'leave it out, or run the pod on an ECS node');
  const added = securityContext?.capabilities?.add?.filter((each) => !CAPABILITIES.has(each)) ?? [];
  if (added.length > 0)
    refuse(
      'securityContext.capabilities.add',
      `ECI cannot add ${added.join(', ')}`,
      'only NET_ADMIN and NET_RAW can be added',
    );
  if (volumeDevices?.length)
    refuse('volumeDevices', 'ECI has no raw block devices', 'mount a file system with volumeMounts');
  if (restartPolicy === 'Always' && !pod.spec.containers.includes(container))
    refuse('restartPolicy', 'ECI has no sidecars among init containers', 'make it one of spec.containers');
  else if (restartPolicy !== undefined && restartPolicy !== (pod.spec.restartPolicy ?? 'Always'))
    refuse('restartPolicy', 'all containers of an instance have one policy', 'set spec.restartPolicy');
  refuseWhatIsTooLarge(container, refuse);
};

const refuseWhatIsTooLarge = (
  container: WorkloadContainer,
  refuse: (field: string, problem: string, remedy: string) => void,
): void => {
  if (container.image.length === 0 || container.image.length > LONGEST_IMAGE)
    refuse('image', `it has ${container.image.length} characters, and ECI takes 1 to ${LONGEST_IMAGE}`, 'shorten it');
  for (const field of ['command', 'args', 'ports', 'volumeMounts'] as const)
    if ((container[field]?.length ?? 0) > MOST_ITEMS)
      refuse(field, `there are ${container[field]?.length}, and ECI takes at most ${MOST_ITEMS}`, 'use fewer');
};

/**
 * Only limits restrict a container. Requests determine the size of the instance, all of which a container without a
 * limit may use.
 */
const limitsOf = ({ resources }: WorkloadContainer, at: string, remarks: Remarks) => {
  const limits = resources?.limits ?? {};
  const read = (name: string) => {
    const quantity = limits[name];
    const value = quantity === undefined ? undefined : parseQuantity(quantity);
    if (quantity !== undefined && value === undefined)
      remarks.refusals.push({
        field: `${at}.resources.limits[${name}]`,
        problem: `${String(quantity).slice(0, 60)} is no quantity`,
        remedy: 'write for example 500m or 1Gi',
      });
    return value === undefined || value <= 0 ? undefined : value;
  };
  const memory = read('memory');
  return {
    cpu: round(read('cpu')),
    memory: round(memory === undefined ? undefined : memory / GIB),
    gpu: read('nvidia.com/gpu'),
  };
};

const round = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.ceil(value * 1000 - 1e-6) / 1000;

const portsOf = ({ ports }: WorkloadContainer, at: string, remarks: Remarks): ContainerSpec['port'] =>
  ports?.flatMap(({ containerPort, protocol = 'TCP' }) => {
    if (protocol === 'TCP' || protocol === 'UDP') return [{ port: containerPort, protocol } as const];
    remarks.refusals.push({
      field: `${at}.ports[${containerPort}].protocol`,
      problem: `ECI has no ${protocol}`,
      remedy: 'use TCP or UDP',
    });
    return [];
  });

const mountOf = (
  mount: NonNullable<WorkloadContainer['volumeMounts']>[number],
  at: string,
  environment: Environment,
  remarks: Remarks,
): VolumeMount => {
  const { name, mountPath, readOnly, subPathExpr, mountPropagation } = mount;
  const subPath = subPathExpr
    ? expand(subPathExpr, environment, `${at}.volumeMounts[${mountPath}].subPathExpr`, remarks)
    : mount.subPath;
  return compact({
    name,
    mountPath,
    readOnly,
    subPath: subPath || undefined,
    mountPropagation: PROPAGATIONS.find((each) => each === mountPropagation),
  });
};

/**
 * The container's security context takes precedence over the pod's. Every instance is a virtual machine of its own, so
 * that no other isolation must be configured.
 */
const securityOf = ({ securityContext }: WorkloadContainer, { pod }: TranslationInput) => {
  const ofPod = pod.spec.securityContext;
  return {
    addCapabilities: securityContext?.capabilities?.add?.filter((each) => CAPABILITIES.has(each)),
    readOnlyRootFilesystem: securityContext?.readOnlyRootFilesystem,
    runAsUser: securityContext?.runAsUser ?? ofPod?.runAsUser,
    runAsGroup: securityContext?.runAsGroup ?? ofPod?.runAsGroup,
    runAsNonRoot: securityContext?.runAsNonRoot ?? ofPod?.runAsNonRoot,
  };
};

/** Removes keys without a value: undefined, or an empty list. */
export const compact = <T extends object>(object: T): T =>
  Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  ) as T;
