import type { Replacement } from './mutation.ts';

/** The product without one of its defences. */
export interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
  /** A seed that noticed it, where few do: it is tried first, and the others all the same. */
  readonly seed?: number;
  /** Why nobody can notice it, where that is so: another defence does the same work. */
  readonly redundant?: string;
}

const mutant = (name: string, ...replacements: (readonly [file: string, text: string, by: string])[]): Mutant => ({
  name,
  replacements: replacements.map(([file, text, by]) => ({ file, text, by })),
});

/** One that few seeds notice, with one that did. */
const rare = (seed: number, it: Mutant): Mutant => ({ ...it, seed });

const TOKEN = [
  'src/controllers/podeip/actions.ts',
  'allocateCall(cluster, podEip, step.request, step.generation)',
  'allocateCall(cluster, podEip, step.request, `${step.generation} ${epoch} ${clock.mono()}` as never)',
] as const;

const NO_PROOF = [
  'src/controllers/podeip/record.ts',
  'eip.tags.get(TAG_CLUSTER_UID) === clusterUid && eip.tags.get(TAG_PODEIP_UID) === podEip.metadata.uid',
  'true',
] as const;

/**
 * Each takes one defence away, and must be noticed. They change the source as it is loaded and nothing else: the product
 * has no switch for any of them.
 */
export const mutants: readonly Mutant[] = [
  mutant(
    'intent after effect: the finalizer comes with the EIP, not before it',
    ['src/controllers/podeip/writes.ts', '...others, FINALIZER]', '...others, ...(podEip ? [FINALIZER] : [])]'],
    [
      'src/controllers/podeip/writes.ts',
      '{ spec: { allocationID } }',
      '{ spec: { allocationID }, metadata: { finalizers: [FINALIZER] } }',
    ],
  ),
  mutant('random token: each attempt has its own', TOKEN),
  mutant('random token without adoption: what is tagged is not looked for before buying', TOKEN, [
    'src/controllers/podeip/provision.ts',
    "if (found) return { do: 'Record'",
    "if (found === null) return { do: 'Record'",
  ]),
  mutant('no adoption on the way out: an EIP that is not recorded was not bought', [
    'src/controllers/podeip/finalize.ts',
    "if (!tagged) return { do: 'ReadTaggedEips' };\n    const [found] = tagged;",
    'const [found] = tagged ?? [];',
  ]),
  mutant('name instead of UID: a pod of the same name is the same pod', [
    'src/controllers/podeip/decide.ts',
    'pod.metadata.uid !== record.podUid',
    'pod.metadata.name !== podEip.metadata.name',
  ]),
  mutant('finalizer first: the PodEIP goes before its EIP', [
    'src/controllers/podeip/finalize.ts',
    'return isUsers ? detach(seen, podEip, record, settings) : release(seen, podEip, record, settings);',
    "return removeFinalizer('gone');",
  ]),
  mutant(
    'the EIPs of users are released too',
    [
      'src/controllers/podeip/finalize.ts',
      'return isUsers ? detach(',
      'return isUsers && podEip.spec.allocationID === "" ? detach(',
    ],
    NO_PROOF,
  ),
  mutant(
    'not found means gone: another EIP is bought at once',
    ['src/controllers/podeip/provision.ts', 'if (!isMissing(seen, settings)) return notVisibleYet(allocationID);', ''],
    [
      'src/controllers/podeip/provision.ts',
      'if (tagged.some(({ allocationId }) => allocationId === allocationID)) return notVisibleYet(allocationID);',
      '',
    ],
  ),
  mutant('not found means gone: one look is enough on the way out', [
    'src/controllers/podeip/finalize.ts',
    'if (eip === null) {',
    "if (eip === null) {\n    return removeFinalizer('gone');",
  ]),
  mutant(
    'stale reads: decisions are made from the caches',
    [
      'src/manager/controllers.ts',
      'const reconcile = reconcilePodEip({\n      kube,',
      `const reconcile = reconcilePodEip({
      kube: {
        ...kube,
        get: async (resource, ref, signal) => {
          const store = { pods: caches.pods.store, podeips: caches.podEips.store }[resource.plural];
          return store ? store.get(ref.namespace + '/' + ref.name) : kube.get(resource, ref, signal);
        },
      },`,
    ],
    ['src/controllers/caches.ts', 'const { annotations = {} } = metadata;', 'return { metadata, spec, status };'],
    [
      'src/controllers/caches.ts',
      'const trimPodEip = ({ metadata, spec, status }: PodEip): PodEip => ({',
      'const trimPodEip = (it) => it;\nexport const kept = ({ metadata, spec, status }) => ({',
    ],
  ),
  mutant('blind unbind: Unassociate does not say from what', [
    'src/cloud/alicloud/vpc.ts',
    'new sdk.UnassociateEipAddressRequest(bindingOf(binding))',
    'new sdk.UnassociateEipAddressRequest({ regionId, allocationId: binding.allocationId, clientToken: binding.clientToken })',
  ]),
  mutant('no settle window', [
    'src/manager/controllers.ts',
    'settleMs: config.cloud.settleSeconds * 1_000 + CALL_TIMEOUT_MS',
    'settleMs: 0',
  ]),
  mutant('no allowance for reads that lag', ['src/manager/controllers.ts', 'readLagMs: READ_LAG_MS', 'readLagMs: 0']),
  mutant('token life 3 s', [
    'src/sandbox/cloud/sandbox-cloud.ts',
    'tokenLifetimeMs: options.tokenLifetimeMs ?? 600_000',
    'tokenLifetimeMs: 3_000',
  ]),
  rare(
    2236,
    mutant('everything is certain: silence means no', [
      'src/controllers/podeip/tracker.ts',
      "if (kind === 'unknown') entry.isCertain = false;",
      '',
    ]),
  ),
  {
    ...mutant('a refusal is believed of silence too', [
      'src/controllers/podeip/tracker.ts',
      'const reason = isTaken ?',
      "const reason = kind === 'unknown' ? 'CloudRefused' : isTaken ?",
    ]),
    redundant:
      'a new token is used only after the settle window and after a look for what is tagged: by then an attempt that did buy is found',
  },
  mutant('published before it is in use', [
    'src/controllers/podeip/bind.ts',
    "if (eip.status === 'InUse' && latest?.privateIpAddress === podIP && isBoundTo(eip, latest)) {",
    "if (eip.status !== 'Available' && latest?.privateIpAddress === podIP && isBoundTo(eip, latest)) {",
  ]),
  mutant('not unpublished before it is taken away', [
    'src/controllers/podeip/finalize.ts',
    'isAnnounced(pod) &&\n    !hasEipOfInstance(pod, seen.node)',
    'pod.metadata.uid === ""',
  ]),
  mutant(
    'taken from wherever it is: a binding of others is undone',
    [
      'src/controllers/podeip/attach.ts',
      "return robbing.do === 'ForceDetach' ? { do: 'Record', allocationId } : robbing;",
      "return robbing.do === 'Done' ? robbing : { do: 'Record', allocationId };",
    ],
    [
      'src/controllers/podeip/bind.ts',
      'if (!binding) return takeAway(eip);',
      "if (!binding) return { do: 'Unassociate', allocationId, binding: { networkInterfaceId: eip.instanceId ?? '', privateIpAddress: eip.privateIpAddress ?? '', isPrimary: false, podUid: '' } };",
    ],
  ),
  mutant('recorded after it is bound', [
    'src/controllers/podeip/bind.ts',
    'latest && isSameBinding(latest, found) && latest.isPrimary === found.isPrimary',
    'true',
  ]),
  mutant(
    'competitors are not looked for',
    [
      'src/controllers/podeip/attach.ts',
      'if (competitors && competitors.length > 0)\n      return resolveConflict',
      'if (competitors && competitors.length > 9)\n      return resolveConflict',
    ],
    ['src/controllers/podeip/attach.ts', 'if (isLost) return', 'if (isLost && seen.now < 0) return'],
    [
      'src/controllers/podeip/attach.ts',
      'if (competitors.length > 0)\n      return wait(',
      'if (competitors.length > 9)\n      return wait(',
    ],
  ),
  mutant('of two that record an EIP none yields', [
    'src/controllers/podeip/attach.ts',
    'if (!latestBinding(record)) {',
    'if (seen.now < 0) {',
  ]),
  mutant(
    'an EIP is handed over although the other pod has not given it up',
    ['src/controllers/podeip/attach.ts', 'if (holder) return (parsed', 'if (holder && seen.now < 0) return (parsed'],
    [
      'src/controllers/podeip/attach.ts',
      'if (competitors.length > 0)\n      return wait(',
      'if (competitors.length > 9)\n      return wait(',
    ],
    [
      'src/controllers/podeip/attach.ts',
      'forceDetach(seen, it, settings, boundElsewhere)',
      "({ do: 'RecordBinding', binding: { networkInterfaceId: it.instanceId ?? '', privateIpAddress: pod?.status?.podIP ?? '', isPrimary: false, podUid: record.podUid } })",
    ],
  ),
  mutant('kept for nobody: an EIP that is kept stays bound', [
    'src/controllers/podeip/retain.ts',
    "if (eip.status === 'InUse') {",
    "if (eip.status === 'Unassociating') {",
  ]),
  mutant('kept for good: time does not pass', [
    'src/controllers/podeip/retain.ts',
    'if (leftMs <= 0)',
    'if (leftMs <= -1e12)',
  ]),
  mutant('kept too short: only the wall clock counts', [
    'src/controllers/podeip/retain.ts',
    'Math.max(endsAt - seen.now, Math.min(ttlMs, settings.recheckMs) - seen.memory.retainedMs)',
    'endsAt - seen.now',
  ]),
  mutant('kept too short: only this process counts', [
    'src/controllers/podeip/retain.ts',
    'Math.max(endsAt - seen.now, Math.min(ttlMs, settings.recheckMs) - seen.memory.retainedMs)',
    'Math.min(ttlMs, settings.recheckMs) / 2 - seen.memory.retainedMs',
  ]),
  mutant('never is not never', [
    'src/controllers/podeip/retain.ts',
    "if (releaseStrategy === 'Never')",
    "if (releaseStrategy === 'Never') return { do: 'Retire', because: 'nobody came' };\n  if (seen.now < 0)",
  ]),
  mutant('a kept EIP is given up although its pod comes', [
    'src/controllers/podeip/retain.ts',
    'if (takeOver && hasPodIP(next) && ',
    'if (takeOver && seen.now < 0 && ',
  ]),
  mutant('taken over without tags: an EIP of the other controller is released as it is', NO_PROOF),
  mutant('a PodEIP is written whatever it was when it was read', [
    'src/controllers/podeip/writes.ts',
    '{ ...body.metadata, uid, resourceVersion }',
    '{ ...body.metadata, uid }',
  ]),
  mutant('a PodEIP is deleted by its name', [
    'src/controllers/podeip/writes.ts',
    'await kube.delete(PODEIP, refOf(podEip), { uid, resourceVersion }, signal);',
    "await kube.delete(PODEIP, refOf(podEip), { uid: '' }, signal);",
  ]),
  mutant('a pod is told by its name', [
    'src/controllers/podeip/publish.ts',
    'metadata: { uid, resourceVersion, annotations:',
    'metadata: { annotations:',
  ]),
  mutant('the way out does not wait for an EIP that is being bound', [
    'src/controllers/podeip/finalize.ts',
    "} else if (eip && eip.status !== 'Available') return inTransition(eip);",
    '}',
  ]),
  mutant('an error ends the key: it is not tried again', [
    'src/kube/reconcile-loop.ts',
    'const retryInMs = Math.round(queue.retry(key, retryAfterOf(error)));',
    'const retryInMs = 0;',
  ]),
  mutant('a fault of the cloud ends the key', [
    'src/controllers/podeip/controller.ts',
    "if (!needsSomebody) return 'backoff';",
    "if (!needsSomebody) return 'done';",
  ]),
  mutant('an expired watch goes on', [
    'src/kube/reflector.ts',
    "if (fault.kind === 'expired' || (fault.kind === 'notFound' && !listing)) resourceVersion = undefined;",
    "if (fault.kind === 'expired') return;",
  ]),
  mutant('a silent watch is waited for', ['src/kube/reflector.ts', 'idleMs = 90_000', 'idleMs = 9e9']),
  mutant('a status is written at every look', [
    'src/controllers/podeip/status.ts',
    'return Object.keys(patch).length > 0 ? patch : undefined;',
    'return { ...patch, managedBy: after.managedBy };',
  ]),
  mutant('two leaders: the lease is taken while another holds it', [
    'src/kube/lease.ts',
    'if (heldByOther()) return false;',
    '',
  ]),
  mutant('no fence: a leader sends although its lease may be over', [
    'src/cloud/fence.ts',
    'const { kind } = mayMutate(needMs);',
    "const { kind } = { ...mayMutate(0), kind: 'open' };",
  ]),
  mutant('what needs a person is looked at without a pause', [
    'src/controllers/podeip/step.ts',
    'export const RETRY_MS = 60_000;',
    'export const RETRY_MS = 1;',
  ]),
  mutant('a failure is tried again at once', [
    'src/kube/reconcile-loop.ts',
    "if (isInCircles(key, again) || again === 'backoff') {\n        queue.retry(key);",
    "if (again === 'backoff') {\n        queue.add(key);",
  ]),
  mutant('an EIP whose successor has it is given up on the word of an old reading', [
    'src/controllers/podeip/transfer.ts',
    'if (successor.spec.allocationID === allocationId && isTaken) return',
    "if (successor.spec.allocationID === allocationId) return !isTaken ? 'notTransferred' :",
  ]),
  mutant('an EIP is released although a successor may be taking it', [
    'src/controllers/podeip/finalize.ts',
    "if (typeof now !== 'string') return now;",
    '',
  ]),
  mutant('an EIP is taken over without being named in the PodEIP that has it', [
    'src/controllers/podeip/transfer.ts',
    "if (offered) return { do: 'AssignSuccessor', predecessor: offered };",
    "if (offered) return { do: 'TransferOwnership', allocationId: offered.spec.allocationID };",
  ]),
  rare(
    1620,
    mutant('the PodEIP that hands its EIP on goes before its successor has written the EIP down', [
      'src/controllers/podeip/transfer.ts',
      "if (successor === null) return isTaken ? 'transferred' : 'notTransferred';",
      "if (successor === null || isTaken) return isTaken ? 'transferred' : 'notTransferred';",
    ]),
  ),
  mutant('the limit of a namespace is counted against, and no reservation is written down', [
    'src/controllers/podeip/quota.ts',
    "if (!over) return hasReservation ? undefined : { do: 'Reserve', bandwidthMbps, reclaimed: [] };",
    'if (!over) return undefined;',
  ]),
  rare(
    1793,
    mutant('a reservation is written down whatever has been written since it was counted', [
      'src/controllers/podeip/reserve.ts',
      'metadata: { uid: usageUid, resourceVersion, ownerReferences: [owner] }, places }',
      'metadata: { uid: usageUid, ownerReferences: [owner] }, places }',
    ]),
  ),
  mutant(
    'the reservation of a PodEIP that has no EIP yet is given to another',
    [
      'src/controllers/podeip/quota.ts',
      '.filter((uid) => !there.has(uid))',
      '.filter((uid) => !eipsBought(podEips).has(uid))',
    ],
    [
      'src/controllers/podeip/quota.ts',
      '/** UIDs of the PodEIPs that have a place and are gone. */',
      `const eipsBought = (podEips: readonly PodEip[]) =>
  new Set(podEips.filter(({ spec }) => spec.allocationID !== '').map(({ metadata }) => metadata.uid));
`,
    ],
  ),
  mutant('only the EIPs that are there count, and no reservation before them', [
    'src/controllers/podeip/quota.ts',
    'before.filter(({ podEipUID }) => podEipUID !== uid && !except.includes(podEipUID))',
    'before.filter(({ podEipUID }) => podEipUID === "" && !except.includes(podEipUID))',
  ]),
  mutant('tokens do not say for which PodEIP a call is made', [
    'src/lib/token.ts',
    'clientToken(action, subject, attempt, JSON.stringify(sorted))',
    'clientToken(action, attempt, JSON.stringify(sorted))',
  ]),
  mutant('the pod that an EIP was retained from counts as another one of the name', [
    'src/controllers/podeip/retain.ts',
    'const isFormer = pod !== null && pod.metadata.uid === record.formerPodUid;\n    if (pod && !isItsPod && !isFormer && !isFinal(pod))',
    'if (pod && !isItsPod)',
  ]),
  mutant('an EIP of a Service that is gone is held', [
    'src/controllers/podeip/retain.ts',
    "if (seen.service === null) return { do: 'Retire', because: 'its Knative Service is gone' };",
    '',
  ]),
  mutant(
    'the gate of the pod that hands its EIP over closes',
    ['src/controllers/podeip/finalize.ts', 'return successor\n    ?', 'return successor && seenNever\n    ?'],
    [
      'src/controllers/podeip/finalize.ts',
      'const isWanted = (podEip: PodEip): boolean =>',
      'const seenNever = false;\n\nconst isWanted = (podEip: PodEip): boolean =>',
    ],
  ),
  mutant('an EIP stays with the newest Revision, wherever the requests go', [
    'src/controllers/podeip/precedence.ts',
    'if (my !== undefined && their !== undefined && PRIORITY[my] !== PRIORITY[their])',
    "if (my !== undefined && their !== undefined && my === 'none' && their === 'none')",
  ]),
  mutant('a pod without an address becomes ready before the one that has it gets the requests', [
    'src/controllers/podeip/attach.ts',
    "const isServed = routing(their) === 'routed' && ahead.pod !== null && isAnnounced(ahead.pod);",
    'const isServed = ahead.pod !== null;',
  ]),
  mutant('a pod that no request gets to never becomes ready', [
    'src/controllers/podeip/attach.ts',
    "const isIdle = routing(my) === 'none' && isServed;",
    'const isIdle = seen.now < 0 && isServed;',
  ]),
];
