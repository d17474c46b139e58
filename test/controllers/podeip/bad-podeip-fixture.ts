import test, { type ExecutionContext } from 'ava';
import { PODEIP, type PodEip } from '../../../src/api/podeip.ts';
import { createKube } from '../../../src/kube/client.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { ObservedState, Settings } from '../../../src/controllers/podeip/observation.ts';
import type { Step } from '../../../src/controllers/podeip/step.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { seeded } from '../../harness/random.ts';
import * as the from './situation.ts';
import { ManualClock } from '../../harness/clock.ts';

/*
 * PodEIPs as other controllers and people write them, by their number in the list of bad inputs: what the API server
 * refuses, and the step and the reason for what it lets in. test/hostile/bad-input-list.test.ts says where each number
 * of the list has its case.
 */

export const row = (number: number, title: string, check: (t: ExecutionContext) => void | Promise<void>): void =>
  test(`${number}: ${title}`, check);

export const allocationID = 'eip-1';

export const bindings = [the.binding];

export const existing = the.existing;

export const next = (seen: Partial<ObservedState>, situation: Partial<Settings> = {}): Step =>
  decide(the.seen(seen), { ...the.settings, ...situation });

/** The PodEIP with these annotations beside, or over, those that it should have. */
export const noted = (
  annotations: Readonly<Record<string, string>>,
  podEip = the.podEip({ allocationID, bindings }),
): PodEip => ({
  ...podEip,
  metadata: { ...podEip.metadata, annotations: { ...podEip.metadata.annotations, ...annotations } },
});

export const withType = (podEip: PodEip, allocationType: object): PodEip => ({
  ...podEip,
  spec: { ...podEip.spec, allocationType: { ...podEip.spec.allocationType, ...allocationType } },
});

/** A PodEIP that carries no mark of this controller. */
export const unmarked = (podEip: PodEip): PodEip => ({ ...podEip, metadata: { ...podEip.metadata, annotations: {} } });

const clock = new ManualClock();

export const server = createApiServer({ clock, random: seeded(1) });

export const kube = createKube({ transport: transport(server), clock, qps: 0 });

export const { group, version, kind } = PODEIP;
