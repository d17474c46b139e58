import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { Fault } from '../../src/sandbox/cloud/injected-faults.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { LATEST_EFFECT_MS } from './fault-bounds.ts';
import type { Process } from './process.ts';
import { later, never, type Wire } from './wire.ts';

/** How long a call takes that nothing delays, one way; milliseconds. */
const TRIP_MS = { least: 5, most: 150 };

/** As long as nobody waits: the time-outs of the product's own layers are what is tested. */
const PATIENCE_MS = 3_600_000;

const FATES = [
  'slow',
  'throttled',
  'busy',
  'unavailable before',
  'reset before',
  'request lost',
  'answer lost',
  'unavailable after',
  'garbage after',
  'late arrival',
  'late effect',
  'late and silent',
] as const;

/** What becomes of one call. */
interface Fate {
  readonly fault?: (typeof FATES)[number] | 'outage';
  /** When the request reaches the cloud. */
  readonly arrivesInMs: number;
  /** What the cloud does with it. */
  readonly there: Fault;
  readonly answerInMs: number;
  /** The connection breaks before the request has arrived. */
  readonly breaksFirst?: boolean;
  readonly isSilent?: boolean;
}

/** The cloud does nothing and says why. */
const refused = (code: string): Fault => ({ effect: 'never', answer: { code } });

const fateOf = (wire: Wire, isDeath: boolean): Fate => {
  const { input } = wire;
  const goesWrong = input.happens(wire.faultRate());
  const trip = input.between(TRIP_MS.least, TRIP_MS.most);
  const usual = { arrivesInMs: trip, there: {}, answerInMs: trip };
  if (isDeath) return usual;
  if (wire.isOut('cloud')) return { ...usual, there: { effect: 'never', answer: 'drop' }, fault: 'outage' };
  if (!goesWrong) return usual;
  wire.count('fault');
  const fault = input.pick(FATES);
  const late = () => input.between(trip, LATEST_EFFECT_MS);
  switch (fault) {
    case 'slow':
      return { ...usual, fault, arrivesInMs: input.between(trip, 5_000), answerInMs: input.between(trip, 5_000) };
    case 'throttled':
      return { ...usual, fault, there: refused('Throttling.User') };
    case 'busy':
      return { ...usual, fault, there: refused(input.pick(['OperationFailed.SystemBusy', 'TaskConflict'])) };
    case 'unavailable before':
      return { ...usual, fault, there: refused('ServiceUnavailable') };
    case 'reset before':
      return { ...usual, fault, there: { effect: 'never', answer: 'drop' } };
    case 'request lost':
      return { ...usual, fault, there: { effect: 'never', answer: 'drop' }, isSilent: true };
    case 'answer lost':
      return { ...usual, fault, there: { answer: 'drop' }, isSilent: input.happens(0.5) };
    case 'unavailable after':
      return { ...usual, fault, there: { answer: { code: 'ServiceUnavailable' } } };
    case 'garbage after':
      return { ...usual, fault, there: { answer: { garbage: input.pick(['html', 'empty', 'truncated']) } } };
    case 'late arrival':
      return { ...usual, fault, arrivesInMs: late(), breaksFirst: true };
    case 'late effect':
      return { ...usual, fault, there: { effect: { afterMs: late() }, answer: 'drop' }, arrivesInMs: 0 };
    case 'late and silent':
      return { ...usual, fault, arrivesInMs: late(), isSilent: true };
  }
};

interface Listed {
  readonly AllocationId: string;
  readonly Status: string;
  readonly PrivateIpAddress: string;
}

/** An answer in short, for the trace. */
const gist = (body: unknown): string => {
  const { EipAddresses, AllocationId } = body as { EipAddresses?: { EipAddress: Listed[] }; AllocationId?: string };
  if (!EipAddresses) return AllocationId ?? 'OK';
  const eips = EipAddresses.EipAddress.map((eip) => `${eip.AllocationId} ${eip.Status} ${eip.PrivateIpAddress}`);
  return `[${eips.join(', ')}]`;
};

/** A process's connection to the cloud, in the place of the SDK's own `callApi`. */
export const cloudLink = (wire: Wire, process: Process, cloud: EmbeddedCloud): SdkCallApi => {
  const { time } = wire;
  const call = callApi(cloud, { caller: process.name });
  /** Sends now: the rule is there for exactly this call. */
  const send = (params: Parameters<SdkCallApi>[0], request: Parameters<SdkCallApi>[1], there: Fault) => {
    const end = cloud.inject({ action: params.action, fault: there });
    const answer = call(params, request, { readTimeout: PATIENCE_MS });
    end();
    // An effect that the cloud puts off happens when somebody looks: look then.
    if (typeof there.effect === 'object') time.timer(there.effect.afterMs, () => void cloud.eips());
    return answer;
  };

  return (params, request) => {
    if (!process.isAlive) return never();
    const { action } = params;
    process.ios += 1;
    wire.count('io');
    const isWrite = !action.startsWith('Describe');
    const label = `${action} ${JSON.stringify(request.query)}`;
    wire.onCall(process, action, request.query);
    const death = wire.onIo({ process, label, isWrite, number: process.ios });
    if (death === 'before') return never();
    if (action === 'AssociateEipAddress' && death !== undefined) wire.onAssociate(process, request.query, 'disturbed');
    if (death === 'in flight') {
      time.timer(wire.input.between(20, LATEST_EFFECT_MS), () => {
        wire.trace(`${process.name}: ${action} takes effect after the death of its sender`);
        void send(params, request, {}).catch(() => undefined);
      });
      return never();
    }
    const {
      fault,
      arrivesInMs,
      there,
      answerInMs,
      breaksFirst = false,
      isSilent = false,
    } = fateOf(wire, death === 'after');
    wire.trace(`${process.name} → ${label}${fault === undefined ? '' : ` [${fault}]`}`);
    const isAssociate = action === 'AssociateEipAddress';
    if (isAssociate && fault !== undefined) wire.onAssociate(process, request.query, 'disturbed');
    const hear = (ms: number, what: string, settle: () => void) =>
      later(wire, process, ms, () => {
        wire.trace(`${process.name} ← ${action}: ${what}`);
        settle();
      });
    return new Promise((resolve, reject) => {
      const fail = (ms: number, error: unknown) =>
        hear(ms, String((error as { code?: unknown }).code), () => reject(error));
      if (breaksFirst) fail(TRIP_MS.least, Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
      time.timer(arrivesInMs, () => {
        if (death === 'after') process.kill();
        send(params, request, there).then(
          (answer) => {
            if (isAssociate && fault === undefined) wire.onAssociate(process, request.query, 'OK');
            if (!breaksFirst && !isSilent) hear(answerInMs, gist(answer.body), () => resolve(answer));
          },
          (error: unknown) => {
            if (!breaksFirst && !isSilent) fail(answerInMs, error);
          },
        );
      });
    });
  };
};
