import test from 'ava';
import { askToBegin, onCluster } from '../../src/cli/plan-and-apply.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { configOf } from '../harness/settings.ts';
import { recordingLog } from '../harness/recording-log.ts';

const QUESTION = { about: '3 pods. ', preview: 'what would be written', declined: 'Nothing was changed.' };

const asking = async (answer: string | undefined, yes = false) => {
  const said: string[] = [];
  const err = (text: string) => void said.push(text);
  const ask =
    answer === undefined
      ? undefined
      : async (question: string) => {
          said.push(question);
          return answer;
        };
  return [await askToBegin({ yes, ask, err }, QUESTION, new AbortController().signal), said];
};

test('only yes begins; a no ends with 1, and 2 says that nobody can be asked', async (t) => {
  t.deepEqual(await asking(' yes\n'), [undefined, ['3 pods. Begin? [yes/no] ']]);
  for (const no of ['y', 'no', ''])
    t.deepEqual(await asking(no), [1, ['3 pods. Begin? [yes/no] ', 'Nothing was changed.\n']], no);
  t.deepEqual(await asking(undefined), [
    2,
    ['knative-eip: nobody can be asked here; write --yes to begin, or --dry-run to see what would be written\n'],
  ]);
  t.deepEqual(await asking('no', true), [undefined, []], 'with --yes nobody is asked');
});

test('a kubeconfig that cannot be read ends with 2, and nothing is begun', async (t) => {
  let said = '';
  const err = (text: string) => void (said += text);
  const process = { clock, env: {}, out: () => undefined, err, ask: undefined, yes: true };
  const log = recordingLog();
  const code = await onCluster(
    { ...process, config: configOf(), kubeconfig: '/nowhere/kubeconfig', log },
    () => t.fail(),
    () => 'never asked',
  );
  t.is(code, 2);
  t.regex(said, /^knative-eip: .*\/nowhere\/kubeconfig/);
});
