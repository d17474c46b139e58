import { until } from '../../harness/until.ts';
import { createKn, type KnPrinted } from '../cluster/kn.ts';
import type { Play } from '../play.ts';
import { KEYS } from '../../../src/api/annotations.ts';
import { NAMED_EIP } from '../scenario.ts';

const WITH_EIP = KEYS.withEip[1];
const IMAGE = '--image=dev.local/hello:1';

/** Without what Knative says to everybody, and in one line. */
const oneLine = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.includes('Kubernetes default value is insecure'))
    .join(' / ');

/** What a user of `kn` reads of a refusal, of warnings, and of the addresses of a Service. */
export const toldByKn: Play = async (t, scene, stage) => {
  const { kubectl } = stage;
  const run = createKn(stage);
  const kn = (verb: string, name: string, ...args: readonly string[]): Promise<KnPrinted> =>
    run('service', verb, name, `--namespace=${scene.namespace}`, ...args);
  const show = (what: string, { code, stderr }: KnPrinted) =>
    scene.figure(what, '-', `exit code ${code}, ${oneLine(stderr) || 'nothing on stderr'}`);

  // A contradiction is refused with the catalogue's sentence.
  for (const verb of ['create', 'apply']) {
    const refused = await kn(
      verb,
      `${scene.name}-${verb}`,
      IMAGE,
      `--annotation-revision=${WITH_EIP}=true`,
      `--annotation-revision=${NAMED_EIP}=eip-mine`,
      '--no-wait',
    );
    show(`kn service ${verb} of a contradiction`, refused);
    t.not(refused.code, 0);
    t.regex(refused.stderr, /ExistingAndNew: .*asks for a new EIP and .* names an existing one; remove /u);
  }

  // An annotation on the Service alone: kn shows the warning, and an Event says it on the Service.
  const onService = await kn(
    'create',
    `${scene.name}-level`,
    IMAGE,
    `--annotation-service=${WITH_EIP}=true`,
    '--no-wait',
  );
  show('kn service create with the annotation on the Service', onService);
  t.is(onService.code, 0);
  t.regex(onService.stderr, /AnnotationOnService: /u);
  await until(
    'an Event says it on the Service',
    () => scene.events(),
    (all) =>
      all.some(({ regarding, reason }) => regarding.name === `${scene.name}-level` && reason === 'AnnotationOnService'),
  );

  // `--annotation` is for both, and the template is what counts.
  const both = await kn('create', scene.name, IMAGE, `--annotation=${WITH_EIP}=true`, '--scale-min=1');
  show('kn service create with the annotation on both', both);
  t.is(both.code, 0);
  t.notRegex(both.stderr, /AnnotationOnService/u, 'nothing is wrong');
  const address = await scene.addressOf(1);

  const described = await kn('describe', scene.name, '--verbose');
  t.is(described.code, 0);
  const shown = described.stdout.split('\n').filter((line) => line.includes('eip') || line.includes(address));
  scene.figure('kn service describe shows of ours', '-', shown.map((line) => line.trim()).join(' / ') || 'nothing');
  // kn shows no Events; kubectl does.
  await until(
    'kubectl describe shows the address in an Event',
    () => kubectl('-n', scene.namespace, 'describe', 'ksvc', scene.name),
    ({ stdout }) => stdout.includes(address),
  );

  // A named EIP without an upper bound, by update.
  const updated = await kn(
    'update',
    scene.name,
    `--annotation=${WITH_EIP}-`,
    `--annotation-revision=${NAMED_EIP}=${scene.ownEip()}`,
  );
  show('kn service update to a named EIP without max-scale', updated);
  t.is(updated.code, 0);
  t.regex(updated.stderr, /ExistingEipMayScale: /u);
  t.is(await scene.addressOf(2), scene.eip(`eip-${scene.name}`)?.ipAddress ?? '');
  scene.neverOnTwo();
  t.is((await run('service', 'delete', scene.name, `--namespace=${scene.namespace}`)).code, 0);
  await scene.isClean();
};
