import { sentence } from '../../api/finding.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { hasNoIPv4, ipv4Of } from '../../api/pod.ts';
import { besideOthers, servedByTerway } from './beside-others.ts';
import { hasEipOfInstance, waitsForEip } from './instance.ts';
import type { PodRequest } from './pod-request.ts';
import type { Situation } from './situation.ts';
import { done, fail, retire, type Action, type Result, type Step } from './step.ts';

/** Writes the intent before the cloud is touched. A refused request is written as well, so that users see it. */
export const claim = (it: Situation, asked: PodRequest, generation: number): Step => {
  const { podEip } = it.seen;
  const { parsed, target } = asked;
  if (target.on === 'unknown') return done('NotScheduled', target.because);
  if (!podEip && hasEipOfInstance(asked)) return recordExternal(asked);
  if (!parsed.request && target.on !== 'acs') return podEip ? refused(parsed) : write(it, asked, generation);
  const { plan } = asked;
  switch (plan.how) {
    case 'none':
      return done('NotOnEcsNode', plan.because);
    case 'add-on':
    case 'container-group':
      return podEip ? retire(podEip, `the virtual node makes the address (${target.because})`) : recordExternal(asked);
    case 'vpc-first':
      // Bought before the pod has an address: the instance will be created with the EIP.
      return hasPodIP(asked) || waitsForEip(asked.pod)
        ? write(it, asked, generation)
        : done('NoPodIP', 'the virtual node has not said yet that it can run the pod');
    case 'after-creation':
      return hasPodIP(asked) ? write(it, asked, generation) : noAddress(it, asked);
    case 'podeip':
      // Beside another controller no PodEIP is written, since that one writes one of the same name.
      return (
        besideOthers(it, asked) ??
        servedByTerway(it, asked) ??
        (hasPodIP(asked) ? write(it, asked, generation) : noAddress(it, asked))
      );
  }
};

/** Why there is no address yet to which an EIP could be bound; undefined if there is one. */
const noAddress = ({ settings }: Situation, { pod }: PodRequest): Result =>
  hasNoIPv4(pod)
    ? fail(
        'NoIPv4',
        `the pod has no IPv4 address (${pod.status?.podIP}), and an EIP is bound to no other; give it one`,
        settings.recheckMs,
      )
    : NO_POD_IP;

const NO_POD_IP: Result = done('NoPodIP', 'the pod has no address yet');

const hasPodIP = ({ pod }: PodRequest): boolean => ipv4Of(pod) !== undefined;

const write = ({ seen: { podEip } }: Situation, { pod, parsed, findings }: PodRequest, generation: number): Action => {
  const { request, release } = parsed;
  return { do: 'Claim', pod, podEip, request, release, generation, findings };
};

const recordExternal = ({ pod, parsed, findings }: PodRequest): Action => ({
  do: 'RecordExternal',
  pod,
  isExisting: parsed.request?.kind === 'existing',
  findings,
});

const refused = (parsed: ParsedRequest): Result => {
  const refusal = parsed.findings.find(({ severity }) => severity === 'refuse');
  return fail(refusal?.id ?? 'RecordTampered', refusal ? allRefusals(parsed) : 'the request cannot be read');
};

export const allRefusals = ({ findings }: ParsedRequest): string =>
  findings
    .filter(({ severity }) => severity === 'refuse')
    .map(sentence)
    .join('. ');
