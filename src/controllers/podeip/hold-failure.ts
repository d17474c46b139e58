import { EIP_HOLDER, type EipHolder } from '../../api/eipholder.ts';
import { KubeFault, UNAUTHORIZED } from '../../kube/fault.ts';
import { fail, type Result, type Step } from './step.ts';

const NAME = `${EIP_HOLDER.plural}.${EIP_HOLDER.group}`;

/** The EIP whose holder the step reads or writes, and what was read before; undefined for every other step. */
const holderIn = (step: Step | undefined): { allocationId: string; holder: EipHolder | null } | undefined =>
  step?.do === 'Hold' || step?.do === 'ReadHolder'
    ? { allocationId: step.allocationId, holder: step.do === 'Hold' ? step.holder : null }
    : undefined;

/**
 * What people are told where it cannot be read or written down whose an existing EIP is: an upgrade may have left the
 * kind or the right out. The EIP is not used without. Undefined where it is something else, such as a token that is
 * just being renewed.
 */
export const whyNotHeld = (
  error: unknown,
  step: Step | undefined,
): Extract<Result, { readonly do: 'Fail' }> | undefined => {
  const asked = holderIn(step);
  if (!asked || !(error instanceof KubeFault)) return undefined;
  const what = `${asked.allocationId} is not used before it is written down whose it is`;
  // One that was there has been deleted in between: that is another look.
  if (error.kind === 'notFound' && !asked.holder)
    return fail(
      'HolderUnwritable',
      `${what}, and the kind ${EIP_HOLDER.kind} is not installed; run kubectl apply -f config/crd/${NAME}.yaml of this version`,
    );
  return error.kind === 'forbidden' && error.status !== UNAUTHORIZED
    ? fail(
        'HolderUnwritable',
        `${what}, and the service account of the controller may not read or write ${EIP_HOLDER.plural}; apply config/rbac of this version (${error.message})`,
      )
    : undefined;
};
