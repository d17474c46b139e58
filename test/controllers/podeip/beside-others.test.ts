import { KEYS, OUR_VIRTUAL_NODE } from '../../../src/api/annotations.ts';
import { ACK_EXTEND, OLD_TERWAY } from '../../../src/rules/conflicting-controllers.ts';
import { effectivePolicy } from '../../../src/policies/policy.ts';
import * as the from './situation.ts';
import { eip, eni, pod, podEip, usersEip } from './situation.ts';
import { testDecisions } from './decisions.ts';

const allocationID = 'eip-1';
const bindings = [the.binding];
const otherControllers = [OLD_TERWAY];
const HELD = { do: 'Fail', reason: 'OtherEipController' };
const ownVirtual = { ...the.node, metadata: { ...the.node.metadata, labels: { [OUR_VIRTUAL_NODE]: 'true' } } };
const unreadable = { ...the.NEW, [KEYS.bandwidth[0]]: 'abc' };
const free = { podEip: podEip({ allocationID, bindings }), eip: eip(), interfaces: [eni()] };

const onlyOne = { metadata: { name: 'few', uid: 'few', resourceVersion: '1' }, spec: { limits: { eips: 1 } } };
const limited = { effective: effectivePolicy([onlyOne], { name: 'default' }), isFresh: true };
const namespace = { metadata: { name: 'default', uid: 'namespace', resourceVersion: '1' } };
const quota = { usage: null, podEips: [podEip()] };
const UNTOLD = { do: 'Unpublish' };
const told = pod({ isTold: true, isGated: true, isGateOpen: true });
const drifted = { ...the.quiet, driftMs: 60_000 };

/* What a PodEIP does while another controller makes EIPs. The first rows are in decide.test.ts. */
testDecisions([
  ...(
    [
      ['that nobody can read', unreadable],
      ['that contradict each other', { ...the.NEW, ...the.EXISTING }],
    ] as const
  ).flatMap(([which, annotations]): Parameters<typeof testDecisions>[0] => [
    [
      `a PodEIP whose pod has annotations ${which} buys nothing`,
      { otherControllers, podEip: podEip(), tagged: [], pod: pod({ annotations }) },
      HELD,
    ],
    [
      `a PodEIP whose pod has annotations ${which} binds nothing`,
      { ...free, otherControllers, pod: pod({ annotations }) },
      HELD,
    ],
  ]),
  [
    'a PodEIP whose pod is on a node that is not known buys nothing',
    { otherControllers, podEip: podEip(), tagged: [], node: null },
    HELD,
  ],
  [
    'what our own virtual node needs is bought',
    {
      otherControllers: [ACK_EXTEND],
      podEip: podEip(),
      tagged: [],
      pod: pod({ annotations: unreadable }),
      node: ownVirtual,
    },
    { do: 'Allocate' },
  ],
  [
    'for one that is held the account is asked by tags alone',
    { otherControllers, podEip: podEip(), interfaces: undefined },
    { do: 'ReadTaggedEips', privateIpAddress: undefined },
  ],
  [
    'and by marks once, for one whose purchase was not answered',
    { otherControllers, podEip: podEip(), tagged: [], suspects: undefined },
    { do: 'ReadMarkedEips' },
  ],
  [
    'one that is held asks for nothing else, after a restart neither',
    {
      otherControllers,
      podEip: podEip(),
      tagged: [],
      suspects: undefined,
      interfaces: undefined,
      policy: { ...limited, isFresh: false },
      memory: { ...the.quiet, foundNothingMs: 1_000 },
    },
    HELD,
  ],
  [
    'one that is held takes no place of its namespace',
    { otherControllers, podEip: podEip(), tagged: [], policy: limited, namespace, quota },
    HELD,
  ],
  [
    'which it takes without another controller',
    { podEip: podEip(), tagged: [], policy: limited, namespace, quota },
    { do: 'Reserve' },
  ],
  [
    'an address that is not the one of the EIP that was kept stays on the pod, with its gate',
    { ...free, otherControllers, eip: eip({ ipAddress: '203.0.113.9' }), pod: told, memory: drifted },
    HELD,
  ],
  [
    'so it does where the EIP of a user is to be bound',
    {
      ...free,
      otherControllers,
      podEip: podEip({ request: the.existing, allocationID, bindings }),
      eip: usersEip({ ipAddress: '203.0.113.9' }),
      pod: pod({ annotations: the.EXISTING, isTold: true }),
      memory: drifted,
    },
    HELD,
  ],
  [
    'so it does where none was bought yet',
    { otherControllers, podEip: podEip(), tagged: [], pod: told, memory: drifted },
    HELD,
  ],
  [
    'so it does where the one that was kept is gone',
    {
      otherControllers,
      podEip: podEip({ allocationID, bindings }),
      eip: null,
      tagged: [],
      pod: told,
      memory: { ...drifted, missingMs: 30_000 },
    },
    HELD,
  ],
  [
    'the address of our own EIP is taken off when it is lost',
    { ...free, otherControllers, pod: told, memory: drifted },
    UNTOLD,
  ],
  [
    'so it is where the EIP is gone, and only its PodEIP says which address it had',
    {
      otherControllers,
      podEip: { ...podEip({ allocationID, bindings }), status: { eipAddress: '203.0.113.1' } },
      eip: null,
      tagged: [],
      pod: told,
      memory: { ...drifted, missingMs: 30_000 },
    },
    UNTOLD,
  ],
  [
    'without another controller an address that is not ours is taken off',
    { ...free, eip: eip({ ipAddress: '203.0.113.9' }), pod: told, memory: drifted },
    UNTOLD,
  ],
]);
