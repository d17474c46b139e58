import { sentence } from '../../api/finding.ts';
import { planCreation } from '../../request/provisioner.ts';
import { creationFacts } from '../../request/policy.ts';
import type { Reading } from '../../request/parse.ts';
import { targetOf } from '../../request/target.ts';
import { hasEipOfInstance, waitsForEip } from './instance.ts';
import { judgePod } from './pod.ts';
import type { Seen, Settings } from './observation.ts';
import { done, fail, type Step } from './step.ts';

/** Until it is asked again whether another controller makes EIPs; how often that is looked at. Milliseconds. */
const OTHERS_MS = 30_000;

/** The intent is written before the cloud is touched; a request that is refused is written too, so that it can be seen. */
export const claim = (reading: Reading, seen: Seen, generation: number, settings: Settings): Step => {
  const { pod, node, podEip, otherControllers } = seen;
  if (!pod) return done('NoAddressWanted', 'no running pod');
  const target = targetOf(pod, node ?? undefined);
  if (target.on === 'unknown') return done('NotScheduled', target.because);
  const { request, release } = reading;
  const witness = (): Step => {
    const findings = judgePod(pod, node, settings);
    return { do: 'Witness', isExisting: request?.kind === 'existing', findings };
  };
  if (!podEip && hasEipOfInstance(pod, node)) return witness();
  if (!request && target.on !== 'acs') {
    if (!podEip) return { do: 'Claim', request: undefined, release, generation };
    const refusal = reading.findings.find(({ severity }) => severity === 'refuse');
    return fail(refusal?.id ?? 'RecordTampered', refusal ? allRefusals(reading) : 'the request cannot be read');
  }
  const plan = planCreation(reading, pod.metadata.annotations, target, creationFacts(settings));
  switch (plan.how) {
    case 'none':
      return done('NotOnEcsNode', plan.because);
    case 'add-on':
    case 'container-group':
      if (podEip) return { do: 'Retire', because: `the virtual node makes the address (${target.because})` };
      return witness();
    case 'vpc-first':
      // Bought before there is an address to bind it to: it is passed to the instance at its creation.
      return pod.status?.podIP || waitsForEip(pod)
        ? { do: 'Claim', request, release, generation }
        : done('NoPodIP', 'the virtual node has not said yet that it can run the pod');
    case 'after-creation':
    case 'podeip': {
      // Not even a PodEIP is written: the other controller writes one of the same name.
      const findings = plan.how === 'podeip' ? judgePod(pod, node, settings, { otherControllers }) : [];
      const other = findings.find(({ id }) => id === 'OtherEipController');
      if (other) return fail(other.id, sentence(other), OTHERS_MS);
      return pod.status?.podIP
        ? { do: 'Claim', request, release, generation }
        : done('NoPodIP', 'the pod has no address yet');
    }
  }
};

export const allRefusals = ({ findings }: Reading): string =>
  findings
    .filter(({ severity }) => severity === 'refuse')
    .map(sentence)
    .join('. ');
