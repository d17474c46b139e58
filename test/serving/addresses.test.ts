import { onStage } from './play.ts';
import * as life from './scenarios/life.ts';
import * as rollout from './scenarios/rollout.ts';
import * as traffic from './scenarios/traffic.ts';
import * as zero from './scenarios/zero.ts';

const { scenario, afterwards } = onStage();

// The longest first.
scenario('9', 'without a hold-off each wake-up buys and releases one EIP', zero.flappingWithNew);
scenario('9n', 'each wake-up associates a named EIP with one call', zero.flappingWithNamed);
scenario('3w', 'three rollouts with a named EIP lose no request, old pods go', rollout.patient);
scenario('3h', 'with eip-handover: wait the old pod keeps the EIP until it is told to end', rollout.waiting);
scenario('3v', 'rollouts with a named EIP on our virtual node end with one container group', rollout.onVirtualNode);
scenario('3', 'three rollouts at once with a named EIP end with it on the newest, old pods go', rollout.impatient);
scenario('3x', 'a rollout with a named EIP and eip-before-traffic loses no request', rollout.addressFirst);
scenario(
  '3t',
  'a rollout with a named EIP and the activator out of the path loses no request',
  rollout.withoutActivator,
);
scenario('6', 'on a rollback the EIP follows the traffic', traffic.rollback);
scenario('7', 'at scale to zero the EIP goes after the pod, and the account is clean', zero.toZero);
scenario('8', 'with eip-before-traffic no request from zero is answered before the address', zero.addressBeforeTraffic);
scenario('8n', 'without it requests from zero are answered before the address', zero.addressAfterTraffic);
scenario('15', 'a burst on a named EIP is warned of, and served by the pod that has it', life.burst);
scenario('5', 'a tagged Revision that names the EIP of the newest is warned of', traffic.tagged);
scenario('4n', 'two Revisions with traffic that name one EIP are warned of', traffic.oneEipForTwo);
scenario('4', 'with half of the traffic each, two Revisions have an EIP each', traffic.halfAndHalf);
scenario('2', 'on our virtual node ECI makes the EIP, and nothing is left of it', life.onOurVirtualNode);
scenario('10', 'a Service and a namespace that are deleted early leave nothing', life.deletedEarly);
scenario('16', 'six pods have six addresses', life.six);
scenario('1', 'a Knative Service on an ECS node gets an EIP, becomes Ready and answers', life.onNode);
scenario('14', 'a named EIP that does not exist is told on Service, pod and PodEIP', life.unknownEip);
scenario('13', 'an annotation on the Service and not on its template is warned of', life.wrongLevel);
afterwards('11', 'another image of queue-proxy hands a named EIP over within the Revision', rollout.sameRevision);
