/** What clients open at a kubelet endpoint. */
export type SessionKind = 'exec' | 'attach' | 'portForward';

/** How a session ended, for metrics. */
export type SessionOutcome =
  /** The command has ended, with whichever exit code; the client of port-forward has left. */
  | 'ended'
  /** The client has left before its command ended. */
  | 'left'
  /** The cloud, the API server or the container did not do it. */
  | 'failed'
  /** Nobody let the client in: not its right, no such pod, too many sessions, a protocol that is not known. */
  | 'refused'
  /** The controller has ended, or does not lead any more. */
  | 'stopped';
