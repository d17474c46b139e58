import { onStage } from './play.ts';
import * as kinds from './scenarios/kinds.ts';
import { toldByKn } from './scenarios/kn.ts';
import * as moved from './scenarios/moved.ts';
import * as upheaval from './scenarios/upheaval.ts';

const { scenario, afterwards } = onStage({ replicas: 2, knative: ['core', 'hpa-autoscaling'] });

scenario('21', 'a Service that moves to our virtual node and back has a new EIP each time', moved.movedWithNew);
scenario('21n', 'a Service that moves to our virtual node and back takes its named EIP along', moved.movedWithNamed);
scenario('18', 'a Revision of the HPA class hands a named EIP over, whether its old pods go or not', kinds.horizontal);
scenario('23', 'with min-scale raised and lowered each pod keeps its address while it lives', kinds.scaled);
scenario('24', 'a Service that is deleted and made again at once gets its named EIP back', moved.madeAgain);
scenario('27', 'of several containers the one that serves is probed, and the EIP works', kinds.severalContainers);
scenario('19', 'kn shows refusals and warnings', toldByKn);
scenario('26', 'a private Service has an EIP too', kinds.clusterLocal);
afterwards('17', 'the leader of two is killed in a hand-over, and the other one ends it', upheaval.leaderKilled);
afterwards('22', 'ten Services wake up at once where there is room for six EIPs', upheaval.quotaShort);
afterwards('25', 'a Revision that Knative collects leaves nothing behind', upheaval.collected);
// The last: the API server keeps its connections to the webhook that was stopped, and that one hears of
// no ConfigMap any more.
afterwards('20', 'Knative is stopped and started again in the middle of rollouts', upheaval.knativeUpgraded);
