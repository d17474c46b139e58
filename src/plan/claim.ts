import { sentence } from '../api/finding.ts';
import type { Reading } from '../intent/read.ts';
import { targetOf } from '../intent/target.ts';
import type { Seen } from './seen.ts';
import { done, fail, type Step } from './step.ts';

/** The intent is written before the cloud is touched; a request that is refused is written too, so that it can be seen. */
export const claim = (reading: Reading, { pod, node, podEip }: Seen, generation: number): Step => {
  if (!pod) return done('NoAddressWanted', 'no running pod');
  const target = targetOf(pod, node ?? undefined);
  if (target.on === 'unknown') return done('NotScheduled', target.because);
  if (target.on !== 'ecs')
    return done('NotOnEcsNode', `the pod runs on a virtual node (${target.because}), which makes its address itself`);
  const { request, release } = reading;
  if (!request) {
    if (!podEip) return { do: 'Claim', request: undefined, release, generation };
    const refusal = reading.findings.find(({ severity }) => severity === 'refuse');
    return fail(refusal?.id ?? 'RecordTampered', refusal ? allRefusals(reading) : 'the request cannot be read');
  }
  if (!pod.status?.podIP) return done('NoPodIP', 'the pod has no address yet');
  return { do: 'Claim', request, release, generation };
};

export const allRefusals = ({ findings }: Reading): string =>
  findings
    .filter(({ severity }) => severity === 'refuse')
    .map(sentence)
    .join('. ');
