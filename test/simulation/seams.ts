import type * as Podeip from '../../src/controllers/podeip/safeguards.ts';
import type * as Kube from '../../src/kube/safeguards.ts';
import type * as Actions from '../../src/controllers/podeip/actions.ts';
import type * as Bindings from '../../src/cloud/alicloud/bindings.ts';
import type * as BandwidthPackage from '../../src/controllers/podeip/bandwidth-package.ts';
import type * as Binding from '../../src/controllers/podeip/bind.ts';
import type * as Calls from '../../src/controllers/podeip/calls.ts';
import type * as Competing from '../../src/controllers/podeip/competing-claims.ts';
import type * as Controller from '../../src/controllers/podeip/controller.ts';
import type * as Controllers from '../../src/manager/controllers.ts';
import type * as Fence from '../../src/cloud/fence.ts';
import type * as Finalizing from '../../src/controllers/podeip/finalize.ts';
import type * as Locate from '../../src/controllers/podeip/locate.ts';
import type * as AtRest from '../../src/controllers/at-rest.ts';
import type * as Ownership from '../../src/controllers/podeip/ownership.ts';
import type * as Precedence from '../../src/controllers/podeip/precedence.ts';
import type * as Quota from '../../src/controllers/podeip/quota.ts';
import type * as Queue from '../../src/kube/queue.ts';
import type * as Reconciling from '../../src/kube/reconcile-loop.ts';
import type * as Record from '../../src/controllers/podeip/record.ts';
import type * as Reflector from '../../src/kube/reflector.ts';
import type * as Retry from '../../src/controllers/podeip/retry.ts';
import type * as SandboxCloud from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type * as Sending from '../../src/controllers/podeip/sending.ts';
import type * as Status from '../../src/controllers/podeip/status.ts';
import type * as Step from '../../src/controllers/podeip/step.ts';
import type * as Token from '../../src/lib/token.ts';
import type * as Transfer from '../../src/controllers/podeip/transfer.ts';
import type * as Writes from '../../src/controllers/podeip/writes.ts';
import { exportsOf } from './mutation.ts';

/*
 * What mutants replace: the rules by name in the modules of safeguards, and elsewhere functions in whose parameters or
 * answer a rule shows. None of it is there for the mutants: production calls each across the border of its module.
 */

export const podeip = exportsOf<typeof Podeip>('src/controllers/podeip/safeguards.ts');
export const kube = exportsOf<typeof Kube>('src/kube/safeguards.ts');
export const actions = exportsOf<typeof Actions>('src/controllers/podeip/actions.ts');
export const bindings = exportsOf<typeof Bindings>('src/cloud/alicloud/bindings.ts');
export const bandwidthPackage = exportsOf<typeof BandwidthPackage>('src/controllers/podeip/bandwidth-package.ts');
export const binding = exportsOf<typeof Binding>('src/controllers/podeip/bind.ts');
export const calls = exportsOf<typeof Calls>('src/controllers/podeip/calls.ts');
export const competing = exportsOf<typeof Competing>('src/controllers/podeip/competing-claims.ts');
export const controller = exportsOf<typeof Controller>('src/controllers/podeip/controller.ts');
export const controllers = exportsOf<typeof Controllers>('src/manager/controllers.ts');
export const fence = exportsOf<typeof Fence>('src/cloud/fence.ts');
export const finalizing = exportsOf<typeof Finalizing>('src/controllers/podeip/finalize.ts');
export const locate = exportsOf<typeof Locate>('src/controllers/podeip/locate.ts');
export const atRest = exportsOf<typeof AtRest>('src/controllers/at-rest.ts');
export const ownership = exportsOf<typeof Ownership>('src/controllers/podeip/ownership.ts');
export const precedence = exportsOf<typeof Precedence>('src/controllers/podeip/precedence.ts');
export const quota = exportsOf<typeof Quota>('src/controllers/podeip/quota.ts');
export const queue = exportsOf<typeof Queue>('src/kube/queue.ts');
export const reconciling = exportsOf<typeof Reconciling>('src/kube/reconcile-loop.ts');
export const record = exportsOf<typeof Record>('src/controllers/podeip/record.ts');
export const reflector = exportsOf<typeof Reflector>('src/kube/reflector.ts');
export const retry = exportsOf<typeof Retry>('src/controllers/podeip/retry.ts');
export const sandboxCloud = exportsOf<typeof SandboxCloud>('src/sandbox/cloud/sandbox-cloud.ts');
export const sending = exportsOf<typeof Sending>('src/controllers/podeip/sending.ts');
export const status = exportsOf<typeof Status>('src/controllers/podeip/status.ts');
export const step = exportsOf<typeof Step>('src/controllers/podeip/step.ts');
export const token = exportsOf<typeof Token>('src/lib/token.ts');
export const transfer = exportsOf<typeof Transfer>('src/controllers/podeip/transfer.ts');
export const writes = exportsOf<typeof Writes>('src/controllers/podeip/writes.ts');
