import { batched, type FoldableCloud } from '../../src/cloud/batch.ts';
import { readEips, readNetworkInterfaces } from '../../src/cloud/alicloud/answers.ts';
import { credentialProblemOf } from '../../src/cloud/credentials.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { check } from '../../src/cloud/alicloud/answer-checks.ts';
import { ramActionIn, toFault } from '../../src/cloud/alicloud/to-fault.ts';
import { plainRequestId, redact } from '../../src/cloud/alicloud/redact.ts';
import { isQuestionDenied } from '../../src/controllers/preflight/account.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { attempt, fieldsOf, type Drive } from './drive.ts';

const EIP_ANSWER = {
  allocationId: 'eip-1',
  ipAddress: '203.0.113.1',
  status: 'Available',
  instanceId: 'eni-1',
  instanceType: 'NetworkInterface',
  privateIpAddress: '10.0.0.1',
  bandwidth: '5',
  name: 'n',
};

const ENI_ANSWER = {
  NetworkInterfaceId: 'eni-1',
  PrivateIpAddress: '10.0.0.1',
  Status: 'InUse',
  VpcId: 'vpc-1',
  InstanceId: 'i-1',
};

const context = { action: 'AllocateEipAddress', known: ['0123456789abcdef'] } as const;

const CODES = ['Signature', 'Throttling', 'InvalidTimeStamp', 'Forbidden.RAM', 'SomethingNew', 'EPROTO'];

/** Readers of what the cloud answers, and of what is sent to it. */
export const CLOUD_DRIVES: Readonly<Record<string, Drive>> = {
  'a RAM action in a message': (text) => [
    ramActionIn(text),
    ramActionIn(`To grant it, add "vpc:${text}" to the RAM policy`),
    ramActionIn(`A RAM policy denies "${text}`),
  ],
  'EIPs in an answer': (text) =>
    fieldsOf(EIP_ANSWER, text).map((each) =>
      attempt(() =>
        readEips({
          totalCount: 1,
          eipAddresses: { eipAddress: [{ ...each, tags: { tag: [{ key: text, value: text }] } }] },
        } as never),
      ),
    ),
  'network interfaces in an answer': (text) =>
    fieldsOf(ENI_ANSWER, text).map((each) =>
      attempt(() =>
        readNetworkInterfaces({
          statusCode: 200,
          body: { NetworkInterfaceSets: { NetworkInterfaceSet: [each] }, NextToken: text },
        }),
      ),
    ),
  'refusals in an answer': (text) =>
    [text, ...CODES].flatMap((code) =>
      [400, 403, undefined].map((statusCode) =>
        toFault(
          {
            code,
            statusCode,
            name: text,
            data: { Message: text, RequestId: text, AccessDeniedDetail: { AuthAction: text } },
          },
          context,
        ),
      ),
    ),
  'what is secret in a text': (text) => [
    redact(text, ['0123456789abcdef']),
    redact(`https://h/p?${text}`),
    redact(`secret: ${text} token=${text}`),
  ],
  'failures of the source of credentials': (text) =>
    credentialProblemOf(Object.assign(new Error(text), { code: text })),
  'refusals of the question for the account': (text) =>
    isQuestionDenied(
      new CloudFault({
        kind: 'misconfigured',
        action: 'DescribeNetworkInterfaces',
        code: text,
        status: 403,
        message: text,
      }),
    ),
  'IDs that are sent': (text) => [plainRequestId(text), attempt(() => check('AllocateEipAddress', [text], text))],
  'IDs that are asked about': async (text) => {
    const cloud = batched(
      {
        describeEip: () => Promise.resolve(undefined),
        describeEips: () => Promise.resolve([]),
      } as unknown as FoldableCloud,
      clock,
    );
    await cloud.describeEip(text).catch(() => undefined);
  },
};
