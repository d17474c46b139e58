import { isFinal } from '../api/pod.ts';
import type { ContainerGroup } from '../cloud/container-groups.ts';
import type { WorkloadPod } from './workload-pod.ts';

/** An answer of the kubelet endpoint that is none of what was asked for: a status and a text. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A part of the path of a request. @throws Refusal */
export const decodedSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, 'The path cannot be read');
  }
};

/** The container that is asked for, and what is known of it. */
interface Asked {
  readonly pod: WorkloadPod;
  readonly containerName: string;
  readonly group: ContainerGroup | undefined;
  /** Whether the run before the last restart is meant. */
  readonly previous: boolean;
}

/**
 * Why there is no output of a container, with the code and in the words of a kubelet: the API server passes a 400 on
 * with its text, and of a 404 the text is lost (kubernetes pkg/kubelet/kubelet_pods.go, validateContainerLogStatus;
 * pkg/registry/core/pod/rest/log.go). What a kubelet does not know follows its words.
 */
export const refusalOfLog = ({ pod, containerName, group, previous }: Asked): Refusal | undefined => {
  const which = `container ${JSON.stringify(containerName)} in pod ${JSON.stringify(pod.metadata.name)}`;
  if (!group)
    return new Refusal(
      400,
      isFinal(pod)
        ? `${which} is terminated; its elastic container instance is gone, and its log with it`
        : `${which} is waiting to start: ${waitsFor(pod)}`,
    );
  const container = [...group.containers, ...group.initContainers].find(({ name }) => name === containerName);
  const { currentState, previousState } = container ?? {};
  if (previous)
    return previousState?.state === 'Terminated'
      ? undefined
      : new Refusal(400, `previous terminated ${which} not found`);
  if (currentState && currentState.state !== 'Waiting') return undefined;
  if (previousState?.state === 'Terminated') return undefined;
  const { reason = 'ContainerCreating', message } = currentState ?? {};
  const words = WORDS[reason] ?? reason;
  return new Refusal(400, `${which} is waiting to start: ${words}${message === undefined ? '' : `: ${message}`}`);
};

const WORDS: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

const waitsFor = ({ status }: WorkloadPod): string =>
  status?.reason === undefined ? 'ContainerCreating' : [status.reason, status.message ?? []].flat().join(': ');
