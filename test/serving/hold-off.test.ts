import { onStage } from './play.ts';
import { killedInRollout, killedWhileHeld } from './scenarios/kill.ts';
import { held } from './scenarios/zero.ts';

const { scenario, afterwards } = onStage({ settings: { knative: { holdOffSeconds: 30 } } });

scenario('9h', 'with a hold-off four wake-ups buy one EIP', held);
afterwards('9k', 'killed while an EIP is held, it is released at the end of its time', killedWhileHeld);
afterwards('3k', 'killed in the middle of rollouts, the EIP ends on the newest', killedInRollout);
