import test from 'ava';
import { virtualNodeSettings } from '../../src/manager/virtual-node-wiring.ts';
import { settingsOf } from '../../src/manager/settings.ts';
import { CLUSTER_UID, configOf } from '../harness/settings.ts';
import { Stage } from '../virtualnode/stage.ts';

/** What the container of a pod is asked for, beside its own variable, with this in the configuration. */
const variablesWith = async (virtualNode: object, env: readonly object[] = []): Promise<readonly string[]> => {
  const config = configOf({
    virtualNode: { enabled: true, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1', ...virtualNode },
  });
  const stage = await Stage.create();
  stage.kill();
  await stage.start({ node: virtualNodeSettings(config, settingsOf(config, CLUSTER_UID), '0').node });
  await stage.runPod('a', {}, { containers: [{ name: 'main', image: 'nginx', env }] });
  await stage.pass(30_000);
  const [spec] = stage.created;
  const variables = (spec?.containers ?? []).flatMap(({ environmentVar = [] }) =>
    environmentVar.map((each) => `${each.key}=${'value' in each ? each.value : ''}`),
  );
  await stage.stop();
  return variables;
};

test('virtualNode.apiServerAddress is where the containers of an instance find the API server', async (t) => {
  t.deepEqual(await variablesWith({ apiServerAddress: '10.0.0.5:6443' }), [
    'KUBERNETES_SERVICE_HOST=10.0.0.5',
    'KUBERNETES_SERVICE_PORT=6443',
    'KUBERNETES_SERVICE_PORT_HTTPS=6443',
  ]);
  // As clients read it: net.JoinHostPort of client-go's InClusterConfig sets the brackets.
  t.deepEqual((await variablesWith({ apiServerAddress: '[fd00::5]:443' })).slice(0, 2), [
    'KUBERNETES_SERVICE_HOST=fd00::5',
    'KUBERNETES_SERVICE_PORT=443',
  ]);
  t.deepEqual(await variablesWith({}), [], 'the cluster IP, which no instance reaches, is not made up');
});

test('a container that says itself where the API server is keeps its word', async (t) => {
  const env = [
    { name: 'KUBERNETES_SERVICE_HOST', value: 'api.example.com' },
    { name: 'API', value: 'https://$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)' },
  ];
  const variables = await variablesWith({ apiServerAddress: '10.0.0.5:6443' }, env);
  t.true(variables.includes('KUBERNETES_SERVICE_HOST=api.example.com'), variables.join());
  t.true(variables.includes('API=https://api.example.com:6443'), variables.join());
});
