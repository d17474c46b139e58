import type { Node } from '../../../src/api/core.ts';
import { CloudFault } from '../../../src/cloud/fault.ts';

export const VPC = 'vpc-1';

export const ECS = 'ecs-1';

export const node = (name: string, providerID: string | undefined, address: string, ready = 'True'): Node => ({
  metadata: { name, uid: name, resourceVersion: '1' },
  spec: { providerID },
  status: { addresses: [{ type: 'InternalIP', address }], conditions: [{ type: 'Ready', status: ready }] },
});

export const fault = (
  code: string,
  kind: CloudFault['kind'] = 'later',
  action: CloudFault['action'] = 'DescribeNetworkInterfaces',
  status?: number,
) => new CloudFault({ kind, action, code, status, message: code });
