import test from 'ava';
import { ask } from './client.ts';
import { missing } from './cluster/assets.ts';
import { setStage, type Stage } from './cluster/stage.ts';
import { createScene, NEW_EIP, seconds } from './scenario.ts';

const why = missing();
const declare = why === undefined ? test : test.skip;
const title = (text: string) => (why === undefined ? text : `${text} (${why})`);
let stage: Stage;

if (why === undefined) {
  test.before(async (t) => {
    t.timeout(300_000);
    stage = await setStage();
    t.log(`the stage was set in ${seconds(stage.tookMs)}`);
  });
  test.after.always(() => stage?.close());
}

declare(
  title('1: a Knative Service on an ECS node becomes Ready with its EIP and answers through the activator'),
  async (t) => {
    t.timeout(200_000);
    const scene = await createScene(t, stage, 's1');
    const began = Date.now();
    await scene.apply({ annotations: NEW_EIP });
    await scene.isReady(1);
    scene.figure('Ready after', '8.8 s', seconds(Date.now() - began));
    const { status, answer, said } = await ask(scene.host());
    t.is(status, 200, said);
    t.is(answer?.revision, 's1-00001');
    t.is(answer?.address, await scene.addressOf(1));
  },
);
