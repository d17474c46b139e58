import { PODEIP } from '../api/podeip.ts';
import type { Config } from '../config/schema.ts';
import type { Kube, ObjectRef } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import { Delivery, type DeliveryPorts } from './delivery.ts';
import { createJournals } from './journal.ts';
import { Outbox } from './outbox.ts';
import { createSender, type Sender } from './sender.ts';

/**
 * The file to which SinkBinding mounts the token of a sink with OIDC. Source: knative/eventing
 * pkg/apis/sources/v1/sinkbinding_lifecycle.go.
 */
const OIDC_TOKEN = '/oidc/token';

/** Creates the sender to the configured sink; undefined if none is configured. */
export const senderOf = ({ cloudEvents }: Config, clock: Clock): Sender | undefined => {
  const { sink, timeoutSeconds, caCertificates, tokenFile } = cloudEvents;
  if (sink === undefined) return undefined;
  return createSender(
    {
      url: new URL(sink),
      timeoutMs: timeoutSeconds * 1_000,
      caCertificates,
      token: { file: tokenFile ?? OIDC_TOKEN, isRequired: tokenFile !== undefined },
    },
    clock,
  );
};

interface CloudEventParts extends Pick<DeliveryPorts, 'sender' | 'mayAct' | 'clock' | 'random' | 'log' | 'metrics'> {
  readonly config: Config;
  /** A client with a rate limit of its own, so that the reconciler never waits behind events. */
  readonly kube: Kube;
  /** Whether the cache has this PodEIP. */
  readonly isKnown: (podEip: ObjectRef, uid: string) => boolean;
  /** Adds a PodEIP to the reconciler's queue. */
  readonly again: (podEip: ObjectRef) => void;
}

/** Outbox and delivery, ready to run. */
interface CloudEvents {
  readonly outbox: Outbox;
  /** Sends until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** Connects outbox and delivery. */
export const assembleCloudEvents = (parts: CloudEventParts): CloudEvents => {
  const { config, kube, isKnown, again, clock, random, log } = parts;
  const { mode, retryWindowSeconds, overrides } = config.cloudEvents;
  const outbox = new Outbox({
    journals: createJournals(kube, config.leaderElection.namespace),
    clock,
    random,
    log,
    again,
    exists: async (podEip, uid, signal) =>
      isKnown(podEip, uid) || (await kube.get(PODEIP, podEip, signal))?.metadata.uid === uid,
  });
  const delivery = new Delivery({
    ...parts,
    outbox,
    mode,
    context: { clusterId: config.clusterID, regionId: config.regionID, extensions: overrides?.extensions ?? {} },
    windowMs: retryWindowSeconds * 1_000,
  });
  return { outbox, run: (signal) => delivery.run(signal) };
};
