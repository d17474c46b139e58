import { dismantle, isNothing, type Belongings, type ReturningCall } from './dismantle.ts';
import { textAt } from './answer-fields.ts';
import { carriesMark, type Mark } from './run-mark.ts';
import type { NamedAnswer, NamedProduct } from '../cloud/named-answer.ts';
import type { ProbePorts } from './port.ts';
import { eipsIn, groupsIn, interfacesIn, type EipSeen } from './seen.ts';

/** How often the account is looked at, milliseconds. */
const LOOK_MS = 2_000;
/**
 * For how long nothing must be seen: reads lag, and a purchase of which nothing was heard may take its time.
 * Milliseconds.
 */
const QUIET_MS = 10_000;
/** After this it is given up, milliseconds: an instance takes a minute to go. */
const PATIENCE_MS = 300_000;
const PAGE = 100;
/** More pages than this are no account's: the answers are wrong. */
const MOST_PAGES = 100;

/** What a look at the account could not show, with the cloud's words. */
class Unseen extends Error {
  override readonly name = 'Unseen';
}

interface Eyes {
  readonly ports: Pick<ProbePorts, 'api' | 'clock' | 'say'>;
  readonly mark: Mark;
  readonly region: string;
  /** Whether container instances may be there. */
  readonly withEci: boolean;
}

const ask = async (
  { ports, region }: Eyes,
  product: NamedProduct,
  action: string,
  query: Readonly<Record<string, string>>,
): Promise<NamedAnswer> => {
  const answer = await ports.api(product, action, { RegionId: region, ...query });
  if (answer.code !== 'OK') throw new Unseen(`${action}: ${answer.code}`);
  return answer;
};

/** Every EIP of the region: what the cloud makes of a filter by tag or name is one of the questions. */
const allEips = async (eyes: Eyes): Promise<readonly EipSeen[]> => {
  const found: EipSeen[] = [];
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const query = { PageSize: String(PAGE), PageNumber: String(page) };
    const eips = eipsIn((await ask(eyes, 'vpc', 'DescribeEipAddresses', query)).body);
    found.push(...eips);
    if (eips.length < PAGE) break;
  }
  return found;
};

/** All that two queries show, each once, and only what carries the mark. */
const marked = async <T extends { readonly name: string; readonly tags: ReadonlyMap<string, string> }>(
  { mark }: Eyes,
  idOf: (one: T) => string,
  looks: readonly Promise<readonly T[]>[],
): Promise<readonly T[]> => {
  const all = (await Promise.all(looks)).flat().filter((one) => carriesMark(mark, one));
  return [...new Map(all.map((one) => [idOf(one), one])).values()];
};

/** What of the account is the run's, by name and by tag. @throws Unseen */
const look = async (eyes: Eyes): Promise<Belongings> => {
  const { mark, withEci } = eyes;
  const eips = await allEips(eyes);
  const interfaces = await marked(
    eyes,
    (one) => one.networkInterfaceId,
    [{ NetworkInterfaceName: mark.interfaceName }, mark.tag].map(async (where: Readonly<Record<string, string>>) =>
      interfacesIn((await ask(eyes, 'ecs', 'DescribeNetworkInterfaces', { MaxResults: String(PAGE), ...where })).body),
    ),
  );
  const groups = withEci
    ? await marked(
        eyes,
        (one) => one.containerGroupId,
        [...Object.values(mark.groupNames).map((name) => ({ ContainerGroupName: name })), mark.tag].map(
          async (where: Readonly<Record<string, string>>) =>
            groupsIn((await ask(eyes, 'eci', 'DescribeContainerGroups', where)).body),
        ),
      )
    : [];
  const ofGroups = new Set(groups.flatMap((group) => [group.containerGroupId, group.networkInterfaceId]));
  ofGroups.delete('');
  return {
    eips: eips.filter((eip) => carriesMark(mark, eip)),
    // Made with one of the run's instances; they have no name and no tag.
    eipsOfGroups: eips.filter((eip) => ofGroups.has(eip.instanceId) && !carriesMark(mark, eip)),
    interfaces,
    groups,
  };
};

const sentence = ({ action, query }: ReturningCall): string =>
  `${action} ${textAt(query, 'AllocationId') || textAt(query, 'ResourceId.1') || textAt(query, 'NetworkInterfaceId') || textAt(query, 'ContainerGroupId') || textAt(query, 'IpInstanceId')}`;

/**
 * Gives back everything that carries the run's mark, and nothing else. Resolves to what is left, in words; nothing
 * where the account was seen without any of it for a while.
 */
export const clean = async (eyes: Eyes): Promise<readonly string[]> => {
  const { ports, mark, region } = eyes;
  const { clock } = ports;
  const began = clock.mono();
  let quietSince: number | undefined;
  let left: readonly string[] = [];
  while (clock.mono() - began < PATIENCE_MS) {
    try {
      const belongings = await look(eyes);
      left = [];
      if (isNothing(belongings)) {
        quietSince ??= clock.mono();
        if (clock.mono() - quietSince >= QUIET_MS) return [];
      } else {
        quietSince = undefined;
        const { steps, waiting } = dismantle(belongings, mark);
        left = waiting;
        for (const step of steps) {
          const { code } = await ports.api(step.product, step.action, { RegionId: region, ...step.query });
          ports.say(`  ${sentence(step)}: ${code}`);
          left = [...left, `${sentence(step)}: ${code}`];
        }
      }
    } catch (error) {
      if (!(error instanceof Unseen)) throw error;
      quietSince = undefined;
      left = [`the account could not be seen: ${error.message}`];
    }
    await clock.sleep(LOOK_MS);
  }
  return left.length > 0 ? left : ['the account was not steady for long enough'];
};
