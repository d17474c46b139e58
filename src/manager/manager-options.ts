import type { Config } from '../config/schema.ts';
import type { Connection } from '../kube/connect.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';

export interface ManagerOptions {
  readonly config: Config;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  /** The version of Node, as `process.version` has it. */
  readonly nodeVersion: string;
  /** The environment variables that may hold credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * What this process runs: the EIPs of pods, with webhooks and status page; the virtual node (see
   * virtual-node-manager.ts); or both, as far as they are configured, where it is left out.
   */
  readonly runs?: Part | undefined;
  /** Starts the drain. */
  readonly signal: AbortSignal;
}

/** A part of the product that may have a process of its own. */
type Part = 'eip' | 'virtual-node';

/** A running controller. */
export interface Manager {
  /** Base URLs of the listeners: of /healthz and /readyz, of /metrics, and of the status page where it is served. */
  readonly urls: { readonly health: string; readonly metrics: string; readonly page: string | undefined };
  /** Base URL of the webhooks; undefined while they have no certificate, or are not enabled. */
  readonly webhookUrl: () => string | undefined;
  /**
   * Resolves to `stopped` after the drain, and to `lost` as soon as the leadership is lost: the process must end then.
   */
  readonly ended: Promise<'stopped' | 'lost'>;
}
