import { CRD, type CustomResourceDefinition } from '../../api/apiextensions.ts';
import { EIP_HOLDER, type EipHolder, type ExistingEips } from '../../api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicySpec } from '../../api/eippolicy.ts';
import { PODEIP, type PodEipSpec, type PodEipStatus } from '../../api/podeip.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { sleepUnlessAborted, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/** Every field that is written. A schema that lacks one has the API server drop it without a word. */
const SPEC = ['allocationID', 'allocationType', 'bandwidthPackageID'] as const satisfies readonly (keyof PodEipSpec)[];
const STATUS = {
  eipAddress: true,
  privateIPAddress: true,
  networkInterfaceID: true,
  status: true,
  internetChargeType: true,
  isp: true,
  bandwidth: true,
  name: true,
  bandwidthPackageID: true,
  publicIpAddressPoolID: true,
  resourceGroupID: true,
  podLastSeen: true,
  managedBy: true,
  conditions: true,
} as const satisfies Record<keyof PodEipStatus, true>;

/** What of the kind PodEIP this version needs and the definition in the cluster lacks, as paths. Pure. */
export const lackingIn = ({ spec }: CustomResourceDefinition): readonly string[] => {
  const version = spec?.versions?.find(({ name, served }) => name === PODEIP.version && served !== false);
  if (!version) return [`version ${PODEIP.version}`];
  const fields = version.schema?.openAPIV3Schema?.properties ?? {};
  const lacks = (part: string, names: readonly string[]) =>
    names.filter((name) => fields[part]?.properties?.[name] === undefined).map((name) => `${part}.${name}`);
  return [
    ...(version.subresources?.status ? [] : ['subresource status']),
    ...lacks('spec', SPEC),
    ...lacks('status', Object.keys(STATUS)),
  ];
};

/** What of the kind EipHolder this version needs and the definition in the cluster lacks, as paths. Pure. */
const lackingInHolders = (definition: CustomResourceDefinition): readonly string[] =>
  lackingFields(EIP_HOLDER.version, undefined, HOLDER)(definition);
const HOLDER = ['namespace', 'lastNamed'] as const satisfies readonly (keyof EipHolder)[];

/** The fields of an EipPolicy and of an EipUsage that this version knows. */
const POLICY = [
  'namespaces',
  'namespaceSelector',
  'existingEips',
  'bandwidthPackages',
  'publicIpAddressPools',
  'resourceGroups',
  'limits',
  'defaults',
  'virtualNode',
] as const satisfies readonly (keyof EipPolicySpec)[];

/** What of these fields the definition of a kind lacks; `part` is `spec`, or undefined for the object itself. Pure. */
const lackingFields =
  (served: string, part: string | undefined, names: readonly string[]) =>
  ({ spec }: CustomResourceDefinition): readonly string[] => {
    const version = spec?.versions?.find(({ name, served: isServed }) => name === served && isServed !== false);
    if (!version) return [`version ${served}`];
    const fields = version.schema?.openAPIV3Schema?.properties ?? {};
    const there = part === undefined ? fields : (fields[part]?.properties ?? {});
    return names
      .filter((name) => there[name] === undefined)
      .map((name) => (part === undefined ? name : `${part}.${name}`));
  };

const LACKING: Readonly<Record<string, (definition: CustomResourceDefinition) => readonly string[]>> = {
  [`${PODEIP.plural}.${PODEIP.group}`]: (definition) => lackingIn(definition),
  [`${EIP_HOLDER.plural}.${EIP_HOLDER.group}`]: (definition) => lackingInHolders(definition),
  [`${EIP_POLICY.plural}.${EIP_POLICY.group}`]: lackingFields(EIP_POLICY.version, 'spec', POLICY),
  [`${EIP_USAGE.plural}.${EIP_USAGE.group}`]: lackingFields(EIP_USAGE.version, undefined, ['places']),
};

/** What of a kind of ours, by the name of its definition, this version needs and the definition lacks. Pure. */
export const lackingOf = (name: string, definition: CustomResourceDefinition): readonly string[] =>
  LACKING[name]?.(definition) ?? [];

const LOOK_MS = 10_000;
const MOST_LOOKS = 30;

interface Looking {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** A definition, and what the code needs of it. */
interface Needed {
  readonly name: string;
  readonly lacking: (definition: CustomResourceDefinition) => readonly string[];
  /** What is said, once, of a definition that is not there; undefined where whoever watches the kind says it. */
  readonly absent?: string | undefined;
}

const PODEIPS: Needed = { name: `${PODEIP.plural}.${PODEIP.group}`, lacking: lackingIn };
const HOLDERS: Needed = {
  name: `${EIP_HOLDER.plural}.${EIP_HOLDER.group}`,
  lacking: lackingInHolders,
  absent: 'no existing EIP is bound without it',
};

/**
 * Looks once, at the start, whether the kinds PodEIP and EipHolder are as new as the code: other products bring
 * definitions of the same name, and an upgrade may forget them. Without a field everything is bound and given back all
 * the same, but the conditions of a PodEIP, and with them every reason, are dropped without a word. Never rejects.
 *
 * @param existingEips with `firstUse` only, holders are used
 */
export const checkDefinitions = async (
  { existingEips, ...ports }: Looking & { readonly existingEips: ExistingEips },
  signal: AbortSignal,
): Promise<void> => {
  const needed = existingEips === 'firstUse' ? [PODEIPS, HOLDERS] : [PODEIPS];
  await Promise.all(needed.map((each) => checkDefinition(each, ports, signal)));
};

const checkDefinition = async (
  { name, lacking, absent }: Needed,
  { kube, clock, log }: Looking,
  signal: AbortSignal,
): Promise<void> => {
  const command = `run kubectl apply -f config/crd/${name}.yaml of this version`;
  for (let looks = 0; looks < MOST_LOOKS && !signal.aborted; looks += 1) {
    try {
      const definition = await kube.get(CRD, { name }, signal);
      const lacks = definition ? lacking(definition) : [];
      if (lacks.length > 0)
        log.error(
          { lacking: lacks },
          `The CustomResourceDefinition ${name} is older than this version, or another product's: it lacks ${lacks.join(', ')}, which the API server drops; ${command}`,
        );
      if (definition) return;
      if (absent !== undefined && looks === 0)
        log.error({}, `The CustomResourceDefinition ${name} is not installed, and ${absent}; ${command}`);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof KubeFault && error.kind === 'forbidden') {
        log.warn({}, `Whether ${name} is as new as this version cannot be seen (apply config/rbac): ${error.message}`);
        return;
      }
      log.debug({ error }, `${name} cannot be read`);
    }
    await sleepUnlessAborted(clock, LOOK_MS, signal);
  }
};
