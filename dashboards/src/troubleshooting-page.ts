import type { FindingId } from '../../src/api/finding.ts';
import type { Reason } from '../../src/api/reason.ts';
import { REASON, type ReasonPolicy } from '../../src/api/reason-policy.ts';

/** What a reason means, and what to do about it; Markdown. */
export interface Explained {
  readonly means: string;
  readonly act: string;
}

/** Every reason that is no finding. Findings have a page of their own. */
export type ExplainedReasons = Readonly<Record<Exclude<Reason, FindingId>, Explained>>;

/** The page in one language. */
export interface TroubleshootingWords {
  /** Title and introduction. */
  readonly head: readonly string[];
  /** What one sees, why, and what to do. */
  readonly columns: readonly [string, string, string];
  readonly symptoms: readonly (readonly [string, string, string])[];
  readonly headings: Readonly<Record<ReasonPolicy['phase'], string>>;
  readonly act: string;
  readonly reasons: ExplainedReasons;
}

const PASSES = 'Nothing: it passes by itself.';

const REASONS: ExplainedReasons = {
  InUse: { means: 'The EIP is bound to the pod.', act: 'Nothing.' },
  Allocated: { means: 'There is an EIP, and it is bound next.', act: PASSES },
  Associated: { means: 'The EIP is bound, and the pod is told next.', act: PASSES },
  Disassociated: { means: 'The EIP is not bound any more.', act: 'The message, or the Events of the pod, say why.' },
  Released: { means: 'The EIP was given back.', act: 'Nothing.' },
  NoAddressWanted: { means: 'The pod asks for no address any more.', act: 'Nothing; the EIP goes back.' },
  NotOnEcsNode: {
    means: 'The pod does not run on an ECS node, and somebody else makes its address.',
    act: 'See [who makes the address](who-makes-the-address.md).',
  },
  Kept: {
    means: 'The EIP waits for the next pod of the name, or of the Service.',
    act: 'Delete the PodEIP to give it back now.',
  },
  HandedOver: {
    means: 'The EIP is with another pod of the same Knative Service.',
    act: 'Nothing: this pod goes on without it.',
  },
  AddressesReady: { means: 'All pods of the Knative Service that asked have their addresses.', act: 'Nothing.' },
  AddressesWaiting: {
    means: 'Not all pods of the Knative Service have their addresses.',
    act: 'Look at the PodEIPs that the sentence names.',
  },
  Adopted: { means: 'The PodEIP of another controller was taken over.', act: 'Nothing.' },
  Pending: { means: 'Nothing has been done yet.', act: 'If it stays: does a replica hold the Lease `knative-eip`?' },
  NotScheduled: { means: 'The pod has no node.', act: '`kubectl describe pod` says why.' },
  NoPodIP: { means: 'The pod has no private address yet.', act: '`kubectl describe pod`, if it stays.' },
  NoInterfaceYet: { means: 'No network interface shows the pod’s address yet.', act: PASSES },
  EipNotVisibleYet: {
    means:
      'The cloud has made the EIP and does not list it yet; or the virtual node has not made the instance that brings it.',
    act: 'Nothing, it passes by itself; unless the message names a reason why the virtual node does not run the pod: do what that says, as in the status of the pod.',
  },
  InTransition: { means: 'The cloud is binding or unbinding the EIP.', act: PASSES },
  HandingOver: { means: 'Another pod of the same Service gives the EIP up first.', act: PASSES },
  JoiningBandwidthPackage: { means: 'The EIP is entering its bandwidth plan.', act: PASSES },
  Settling: { means: 'It is made sure that no call can still take effect.', act: PASSES },
  Releasing: { means: 'The EIP is being given back.', act: PASSES },
  CloudBusy: {
    means: 'The cloud says that now is not the time.',
    act: 'If it stays: is somebody else at work on the EIP or the interface that the message names?',
  },
  CloudThrottled: {
    means: 'The account makes too many calls.',
    act: 'See the [runbook](runbooks/KnativeEipThrottled.md).',
  },
  CloudUnknown: {
    means: 'Whether a call took effect is not known; it is looked at first.',
    act: 'If it stays: look at the cloud’s status page and at the network.',
  },
  NotManagedHere: {
    means: 'The PodEIP belongs to another controller.',
    act: 'See [moving from another controller](migrating.md).',
  },
  RecordTampered: { means: 'Somebody has edited the notes in the PodEIP.', act: 'Delete the PodEIP, to start again.' },
  EipNotFound: {
    means: 'There is no EIP of the ID that is named, or another namespace has it.',
    act: 'Write the ID of an EIP that is yours; `kubectl get eipholders` says whose it is.',
  },
  EipGone: {
    means: 'The EIP does not exist any more.',
    act: 'One that was bought is bought anew; for one of yours, write another ID.',
  },
  EipLeftBehind: {
    means: 'An EIP stays in the account that nobody may release for you.',
    act: 'The message names it: release it in the console, or use it.',
  },
  AddressTaken: {
    means: 'The pod’s private address carries another EIP already.',
    act: 'One of a pod before it is taken off by itself; else unbind it from the address that the message names.',
  },
  EipKept: {
    means: 'An EIP was kept where it would have gone back.',
    act: 'The message says why; release it yourself if you do not want it.',
  },
  ChangeIgnored: {
    means: 'An annotation was changed, and cannot change an EIP that is there.',
    act: 'Make the pod anew, or change the EIP in the console.',
  },
  EipNotOurs: {
    means: 'The EIP lost the tags by which it was bought.',
    act: 'Put them back, or delete the PodEIP: the EIP then stays, and is yours.',
  },
  EipNotGranted: {
    means: 'The namespace may not name this EIP.',
    act: 'Ask an operator for a grant: see [policies](policies.md).',
  },
  HolderUnwritable: {
    means: 'The controller may not write EipHolders.',
    act: '`kubectl apply -k config/crd` and `config/rbac` of this version.',
  },
  EipReserved: { means: 'The EIP belongs to another namespace.', act: 'See [sharing a cluster](tenants.md).' },
  EipClaimed: {
    means: 'Another pod wants the same EIP.',
    act: 'An EIP serves one pod: in a Knative Service write `autoscaling.knative.dev/max-scale: "1"`, in a Deployment `replicas: 1` and `strategy: { type: Recreate }`; or name another.',
  },
  EipInUse: {
    means: 'The EIP is bound to something else.',
    act: 'Unbind it, or allow `allowEipRob` for the namespace.',
  },
  EipLocked: { means: 'The EIP is locked, for arrears or for security.', act: 'Clear the lock in the console.' },
  EipBoundElsewhere: {
    means: 'Somebody has bound the EIP to something else.',
    act: 'Unbind it there; the controller binds it again.',
  },
  EipInOtherPackage: {
    means: 'The EIP is in another bandwidth plan than was asked for.',
    act: 'Take it out of that, or correct the annotation.',
  },
  AmbiguousInterface: { means: 'Several network interfaces hold the pod’s address.', act: 'Check `vpcID`.' },
  NoInterface: {
    means:
      'No network interface of the VPC holds the pod’s address, or one of another machine than the node of the pod does.',
    act: 'Check `vpcID`; an overlay network (Flannel) and Terway’s prefix mode cannot have EIPs.',
  },
  NoIPv4: { means: 'The pod has IPv6 addresses only.', act: 'An EIP needs an IPv4 address.' },
  ReleaseBlocked: { means: 'Something keeps the EIP from being given back.', act: 'The message names it.' },
  QuotaExceeded: {
    means:
      'There is no more of it: EIPs or instances in the account, room in a bandwidth package, addresses in a vSwitch, money.',
    act: 'The message says of what, and what to do; about EIPs see the [runbook](runbooks/KnativeEipQuotaExhausted.md).',
  },
  PurchasesLimited: {
    means: 'The namespace, or pods of this name, had as many EIPs bought as ten minutes allow.',
    act: 'It goes on by itself; the message says who made so many. `namespaceLimits`: see [policies](policies.md).',
  },
  CloudRefused: {
    means: 'The cloud refuses the request.',
    act: 'The message has the cloud’s words, what was asked for, and what to correct: most often line type, pool or bandwidth.',
  },
  CloudUnknownAnswer: {
    means: 'The cloud refuses with a code that this version does not know.',
    act: 'Look it up in the API reference, and report it.',
  },
  CloudMisconfigured: {
    means: 'Credentials, rights or account are not as they must be.',
    act: 'The message names the right that is missing: see [installing](installing.md).',
  },
};

/** From what one sees to where it is explained. */
const SYMPTOMS: readonly (readonly [string, string, string])[] = [
  [
    '`No resources found` for `kubectl get podeip`, although a pod asks',
    'the annotation is on the Service or the Deployment, or is a label',
    'write it into `spec.template.metadata.annotations`; `knative-eip explain -f FILE` says what a manifest asks for',
  ],
  [
    'the pod is Ready, and has no address yet',
    'it has no readiness gate',
    'declare `k8s.aliyun.com/eip`, or on a Knative Service `eip-before-traffic: "true"`: see [annotations](annotations.md)',
  ],
  [
    'READY is False in `kubectl get podeip`',
    'the column REASON says why',
    'look the reason up below; `kubectl describe podeip NAME` has the sentence',
  ],
  [
    'a Knative Service is not Ready after a rollout with a named EIP',
    '[EipClaimed](#eipclaimed), [HandingOver](#handingover)',
    'write `autoscaling.knative.dev/max-scale: "1"`',
  ],
  [
    'the rollout of a Deployment with a named EIP hangs',
    '[EipClaimed](#eipclaimed): the rolling update keeps the old pod until the new one is Ready',
    'write `strategy: { type: Recreate }`',
  ],
  [
    'an address that worked does not answer',
    '[EipBoundElsewhere](#eipboundelsewhere), [EipLocked](#eiplocked); otherwise a security group or Cloud Firewall',
    'open the port in the security group of the node, or of the instance, and in Cloud Firewall',
  ],
  [
    'nothing gets an address',
    'nobody leads, or [CloudMisconfigured](#cloudmisconfigured)',
    '[`knative-eip doctor`](doctor.md) says what is wrong; or `kubectl -n knative-eip-system get lease,pods`, and the log of the one that leads',
  ],
  [
    'a namespace or a pod does not go away',
    '[ReleaseBlocked](#releaseblocked), or no controller runs',
    'see [uninstalling](uninstalling.md); do not remove finalizers before the EIP is given back',
  ],
  [
    '`denied the request` at `kubectl apply`',
    'the request contradicts itself',
    'the word after it is a [finding](findings.md)',
  ],
];

const HEADINGS: TroubleshootingWords['headings'] = {
  attention: 'Somebody must act',
  waiting: 'It passes by itself',
  inUse: 'As wanted',
  kept: 'Kept',
  none: 'About Knative Services',
};

const ENGLISH: TroubleshootingWords = {
  head: [
    '# Troubleshooting',
    '',
    '<!-- Made by npm run docs. -->',
    '',
    'What `kubectl` shows, why, and what to do. `kubectl get podeip` has the reason in its column REASON, `kubectl describe` the',
    'sentence; `kubectl eip describe` and the status page have it too. What a manifest does wrong is in [findings](findings.md).',
  ],
  columns: ['What you see', 'Why', 'What to do'],
  symptoms: SYMPTOMS,
  headings: HEADINGS,
  act: '**What to do**: ',
  reasons: REASONS,
};

const PHASES = ['attention', 'waiting', 'inUse', 'kept', 'none'] as const;

const sectionOf = (phase: ReasonPolicy['phase'], { headings, reasons, act }: TroubleshootingWords): string[] => {
  const names = (Object.keys(reasons) as (keyof ExplainedReasons)[])
    .filter((name) => REASON[name].phase === phase)
    .toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  return [
    `## ${headings[phase]}`,
    '',
    ...names.flatMap((name) => [`### ${name}`, '', reasons[name].means, '', `${act}${reasons[name].act}`, '']),
  ];
};

const ORDER = Object.keys(REASONS);

/** docs/troubleshooting.md, or the same in another language. */
export const troubleshootingPage = (words: TroubleshootingWords = ENGLISH): string =>
  [
    ...words.head,
    '',
    `| ${words.columns.join(' | ')} |`,
    '| --- | --- | --- |',
    ...words.symptoms.map((row) => `| ${row.join(' | ')} |`),
    '',
    ...PHASES.flatMap((phase) => sectionOf(phase, words)),
  ]
    .join('\n')
    .replace(/\n+$/, '\n');
