import type { Ending } from '../../cloud/terminal-message.ts';

/** A Status of Kubernetes (apimachinery pkg/apis/meta/v1). */
type Status = Readonly<Record<string, unknown>>;

/** Reasons of metav1.StatusReason by code, for those that are answered. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
};

/**
 * What a kubelet answers in place of the upgrade. A Status: of anything else clients say "unable to upgrade connection"
 * before it (apimachinery pkg/util/httpstream/spdy/roundtripper.go, NewConnection).
 */
export const refusalStatus = (code: number, message: string): Status => ({
  apiVersion: 'v1',
  kind: 'Status',
  metadata: {},
  status: 'Failure',
  message,
  reason: REASONS[code] ?? 'InternalError',
  code,
});

/**
 * What goes to the error stream of exec (client-go tools/remotecommand/v4.go; the exit code as
 * k8s.io/kubelet/pkg/cri/streaming/remotecommand/exec.go writes it). An end of which nothing is known is a success:
 * kubectl would call a command that may have done well a failure.
 */
export const endingStatus = (ending: Ending): Status => {
  if (ending.kind === 'failed') return refusalStatus(500, ending.message);
  if (ending.kind === 'unknown' || ending.code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${ending.code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(ending.code) }] },
  };
};

/** The same before version 4 of the protocol (remotecommand, v1WriteStatusFunc): plain words, and none of a success. */
export const endingWords = (ending: Ending): string => {
  const { status, message } = endingStatus(ending);
  return status === 'Success' ? '' : String(message);
};
