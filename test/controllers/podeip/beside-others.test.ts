import { KEYS, OUR_VIRTUAL_NODE } from '../../../src/api/annotations.ts';
import { ACK_EXTEND, OLD_TERWAY } from '../../../src/rules/conflicting-controllers.ts';
import * as the from './situation.ts';
import { eip, eni, pod, podEip } from './situation.ts';
import { testDecisions } from './decisions.ts';

const allocationID = 'eip-1';
const bindings = [the.binding];
const otherControllers = [OLD_TERWAY];
const HELD = { do: 'Fail', reason: 'OtherEipController' };
const ownVirtual = { ...the.node, metadata: { ...the.node.metadata, labels: { [OUR_VIRTUAL_NODE]: 'true' } } };
const unreadable = { ...the.NEW, [KEYS.bandwidth[0]]: 'abc' };
const free = { podEip: podEip({ allocationID, bindings }), eip: eip(), interfaces: [eni()] };

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
]);
