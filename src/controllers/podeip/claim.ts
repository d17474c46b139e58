import { sentence } from '../../api/finding.ts';
import { planCreation } from '../../request/provisioner.ts';
import { creationFacts } from '../../request/policy.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { targetOf } from '../../request/target.ts';
import { hasEipOfInstance, waitsForEip } from './instance.ts';
import { evaluatePod } from './pod-request.ts';
import type { ObservedState, Settings } from './observation.ts';
import { done, fail, type Step } from './step.ts';

/** Until it is asked again whether another controller makes EIPs; how often that is looked at. Milliseconds. */
const OTHERS_MS = 30_000;

/** The intent is written before the cloud is touched; a request that is refused is written too, so that it can be seen. */
export const claim = (parsed: ParsedRequest, seen: ObservedState, generation: number, settings: Settings): Step => {
  const { pod, node, podEip, otherControllers } = seen;
  if (!pod) return done('NoAddressWanted', 'no running pod');
  const target = targetOf(pod, node ?? undefined);
  if (target.on === 'unknown') return done('NotScheduled', target.because);
  const { request, release } = parsed;
  const recordExternal = (): Step => {
    const findings = evaluatePod(pod, node, settings);
    return { do: 'RecordExternal', isExisting: request?.kind === 'existing', findings };
  };
  if (!podEip && hasEipOfInstance(pod, node)) return recordExternal();
  if (!request && target.on !== 'acs') {
    if (!podEip) return { do: 'Claim', request: undefined, release, generation };
    const refusal = parsed.findings.find(({ severity }) => severity === 'refuse');
    return fail(refusal?.id ?? 'RecordTampered', refusal ? allRefusals(parsed) : 'the request cannot be read');
  }
  const plan = planCreation(parsed, pod.metadata.annotations, target, creationFacts(settings));
  switch (plan.how) {
    case 'none':
      return done('NotOnEcsNode', plan.because);
    case 'add-on':
    case 'container-group':
      if (podEip) return { do: 'Retire', because: `the virtual node makes the address (${target.because})` };
      return recordExternal();
    case 'vpc-first':
      // Bought before there is an address to bind it to: it is passed to the instance at its creation.
      return pod.status?.podIP || waitsForEip(pod)
        ? { do: 'Claim', request, release, generation }
        : done('NoPodIP', 'the virtual node has not said yet that it can run the pod');
    case 'after-creation':
    case 'podeip': {
      // Not even a PodEIP is written: the other controller writes one of the same name.
      const findings = plan.how === 'podeip' ? evaluatePod(pod, node, settings, { otherControllers }) : [];
      const other = findings.find(({ id }) => id === 'OtherEipController');
      if (other) return fail(other.id, sentence(other), OTHERS_MS);
      return pod.status?.podIP
        ? { do: 'Claim', request, release, generation }
        : done('NoPodIP', 'the pod has no address yet');
    }
  }
};

export const allRefusals = ({ findings }: ParsedRequest): string =>
  findings
    .filter(({ severity }) => severity === 'refuse')
    .map(sentence)
    .join('. ');
