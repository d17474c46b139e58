import type { CloudAction } from '../api-actions.ts';
import type { ContainerGroup, ContainerGroupFilter, ContainerGroups, ContainerGroupSpec } from '../container-groups.ts';
import { CloudFault } from '../fault.ts';
import { FAULT } from '../fault-policy.ts';
import { bodyOf, resourceId } from './answers.ts';
import { createCaller } from './call.ts';
import { check, inconsistent, refuse } from './answer-checks.ts';
import { createClients } from './clients.ts';
import type { CloudSettings } from './vpc.ts';
import {
  readContainerGroups,
  readContainerGroupStatus,
  readExec,
  readContainerLog,
  readMetrics,
} from './eci-answers.ts';
import type { GroupPage } from './eci-answers.ts';
import { createRequest, secretsOf, unknownToSdk } from './eci-request.ts';

/**
 * ECI API reference, DescribeContainerGroups: ContainerGroupIds and Limit, at most 20;
 * DescribeMultiContainerGroupMetric: ContainerGroupIds, at most 20.
 */
const MOST_IDS = 20;
/** ECI API reference, DescribeContainerGroupStatus: Limit, 200 by default. */
const STATUS_PAGE_SIZE = 200;
/** ECI API reference, DescribeContainerLog: Tail, at most 2,000; LimitBytes, at most 1 MB. */
const MOST_LINES = 2000;
const MOST_BYTES = 1_048_576;
/** ECI API reference, ExecContainerCommand: Command. */
const MOST_PARTS = 20;
const LONGEST_PART = 256;
/** Shorter words of a command are not kept out of messages: they are parts of other words. */
const SECRET_LENGTH = 8;
/** ECI API reference: Tag.N, at most 20. */
const MOST_TAGS = 20;
/** More pages than this mean that the token leads in a circle. */
const MOST_PAGES = 1000;

/** The filter as both lists take it. */
interface ListQuery {
  readonly containerGroupIds?: string;
  readonly tag?: { key: string; value: string }[];
  readonly nextToken?: string;
}

/** The queries that a filter comes to: one for every twenty IDs. @throws CloudFault of kind `refused` */
const queriesOf = (action: CloudAction, { containerGroupIds, tags = [] }: ContainerGroupFilter): ListQuery[] => {
  if (containerGroupIds === undefined && tags.length === 0)
    throw refuse(action, 'neither IDs nor tags: this would list every container group of the account');
  if (tags.length > MOST_TAGS) throw refuse(action, `${tags.length} tags; there may be ${MOST_TAGS}`);
  const byTags = tags.length === 0 ? {} : { tag: tags.map(({ key, value }) => ({ key, value })) };
  if (containerGroupIds === undefined) return [byTags];
  check(action, containerGroupIds);
  const ids = [...new Set(containerGroupIds)];
  return Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, n) => ({
    ...byTags,
    containerGroupIds: JSON.stringify(ids.slice(n * MOST_IDS, (n + 1) * MOST_IDS)),
  }));
};

/** What decides whether such an instance can be had. */
const instanceInWords = ({ cpu, memory, instanceTypes = [], vSwitchIds, ramRoleName }: ContainerGroupSpec): string =>
  [
    `an instance${cpu === undefined ? '' : ` of ${cpu} vCPU`}${memory === undefined ? '' : ` and ${memory} GiB`}`,
    ...(instanceTypes.length === 0 ? [] : [`type ${instanceTypes.join(' or ')}`]),
    `in ${vSwitchIds.join(' or ')}`,
    ...(ramRoleName === undefined ? [] : [`with the RAM role ${ramRoleName}`]),
  ].join(', ');

interface SdkRequest {
  query?: Record<string, unknown>;
}

/** The same client, which sends further parameters with every call. */
const withQuery = <C extends { callApi: (...args: never[]) => Promise<unknown> }>(
  client: C,
  further: Readonly<Record<string, string>>,
): C => {
  if (Object.keys(further).length === 0) return client;
  const callApi = (params: never, request: SdkRequest, runtime: never) => {
    request.query = { ...request.query, ...further };
    return client.callApi(params, request as never, runtime);
  };
  return Object.create(client, { callApi: { value: callApi } }) as C;
};

/** The ECI API on Alibaba Cloud's SDK: one API call for each function, for a list one for each page. */
export const createContainerGroups = (settings: CloudSettings): ContainerGroups => {
  const clients = createClients(settings);
  const call = createCaller(settings);
  const { nextPage } = settings;
  const regionId = clients.region;

  /** All pages of all queries; the later state of a group that moved from one page to another. */
  const listAll = async <T extends { readonly containerGroupId: string }>(
    action: CloudAction,
    filter: ContainerGroupFilter,
    signal: AbortSignal | undefined,
    read: (query: ListQuery) => Promise<GroupPage<T>>,
  ): Promise<readonly T[]> => {
    const found = new Map<string, T>();
    let pages = 0;
    for (const query of queriesOf(action, filter)) {
      const seen = new Set<string>();
      for (let token: string | undefined, more = true; more; more = token !== undefined) {
        if (pages > 0) await nextPage?.(action, signal);
        pages += 1;
        const { items, nextToken } = await read({ ...query, ...(token !== undefined && { nextToken: token }) });
        for (const item of items) found.set(item.containerGroupId, item);
        if (nextToken !== undefined && (seen.has(nextToken) || seen.size >= MOST_PAGES))
          throw inconsistent(action, `the pages do not end; page ${pages} leads back`);
        token = nextToken;
        if (nextToken !== undefined) seen.add(nextToken);
      }
    }
    // An API that ignores the filter must not hand us instances of others.
    const wanted = filter.containerGroupIds === undefined ? undefined : new Set(filter.containerGroupIds);
    return [...found.values()].filter(({ containerGroupId }) => wanted?.has(containerGroupId) ?? true);
  };

  const describeContainerGroups: ContainerGroups['describeContainerGroups'] = async (filter, signal) => {
    const action = 'DescribeContainerGroups';
    try {
      const groups = await listAll(action, filter, signal, (query) =>
        call({ action, signal }, clients.eci, async ({ client, sdk }) => {
          const request = new sdk.DescribeContainerGroupsRequest({
            regionId,
            limit: MOST_IDS,
            withEvent: true,
            ...query,
          });
          return readContainerGroups(bodyOf(await client.describeContainerGroups(request)));
        }),
      );
      return groups.filter((group) => (filter.tags ?? []).every(({ key, value }) => group.tags.get(key) === value));
    } catch (error) {
      const { containerGroupIds: ids } = filter;
      if (!ids || !(error instanceof CloudFault) || FAULT[error.kind].effect !== 'absent') throw error;
      // One of them does not exist, and for its sake nothing is said of the others.
      const found: ContainerGroup[] = [];
      for (const id of ids.length > 1 ? new Set(ids) : []) {
        await nextPage?.(action, signal);
        found.push(...(await describeContainerGroups({ ...filter, containerGroupIds: [id] }, signal)));
      }
      return found;
    }
  };

  return {
    createContainerGroup: async (spec, signal) =>
      call(
        { action: 'CreateContainerGroup', signal, secrets: secretsOf(spec), asked: instanceInWords(spec) },
        async () => {
          const { client, sdk } = await clients.eci();
          return { client: withQuery(client, unknownToSdk(spec)), request: createRequest(sdk, regionId, spec) };
        },
        async ({ client, request }) => ({
          containerGroupId: resourceId(
            'ContainerGroupId',
            bodyOf(await client.createContainerGroup(request)).containerGroupId,
          ),
        }),
      ),

    deleteContainerGroup: async ({ containerGroupId, clientToken }, signal) => {
      check('DeleteContainerGroup', [containerGroupId], clientToken);
      await call({ action: 'DeleteContainerGroup', signal }, clients.eci, async ({ client, sdk }) => {
        const request = new sdk.DeleteContainerGroupRequest({ regionId, containerGroupId, clientToken });
        bodyOf(await client.deleteContainerGroup(request));
      });
    },

    describeContainerGroups,

    // The answer has no tags to compare with.
    describeContainerGroupStatus: async (filter, signal) => {
      const action = 'DescribeContainerGroupStatus';
      const { sinceSeconds } = filter;
      return listAll(action, filter, signal, (query) =>
        call({ action, signal }, clients.eci, async ({ client, sdk }) => {
          const request = new sdk.DescribeContainerGroupStatusRequest({
            regionId,
            limit: STATUS_PAGE_SIZE,
            ...(sinceSeconds !== undefined && { sinceSecond: sinceSeconds }),
            ...query,
          });
          return readContainerGroupStatus(bodyOf(await client.describeContainerGroupStatus(request)));
        }),
      );
    },

    describeContainerLog: async ({ tail, limitBytes, previous, containerGroupId, ...query }, signal) => {
      check('DescribeContainerLog', [containerGroupId]);
      return call({ action: 'DescribeContainerLog', signal }, clients.eci, async ({ client, sdk }) => {
        const request = new sdk.DescribeContainerLogRequest({
          ...query,
          regionId,
          containerGroupId,
          tail: tail === undefined ? undefined : Math.min(tail, MOST_LINES),
          limitBytes: limitBytes === undefined ? undefined : Math.min(limitBytes, MOST_BYTES),
          lastTime: previous,
        });
        return readContainerLog(bodyOf(await client.describeContainerLog(request)));
      });
    },

    describeContainerGroupMetrics: async (containerGroupIds, signal) => {
      const action = 'DescribeMultiContainerGroupMetric';
      check(action, containerGroupIds);
      if (containerGroupIds.length > MOST_IDS)
        throw refuse(action, `${containerGroupIds.length} IDs; there may be ${MOST_IDS}`);
      return call({ action, signal }, clients.eci, async ({ client, sdk }) => {
        const request = new sdk.DescribeMultiContainerGroupMetricRequest({
          regionId,
          containerGroupIds: JSON.stringify(containerGroupIds),
        });
        const wanted = new Set(containerGroupIds);
        const found = readMetrics(bodyOf(await client.describeMultiContainerGroupMetric(request)));
        return found.filter(({ containerGroupId }) => wanted.has(containerGroupId));
      });
    },

    execContainerCommand: async ({ containerGroupId, containerName, command, tty, stdin }, signal) => {
      const action = 'ExecContainerCommand';
      check(action, [containerGroupId]);
      if (command.length > MOST_PARTS)
        throw refuse(action, `the command has ${command.length} parts; ECI takes ${MOST_PARTS}`);
      const long = command.findIndex((part) => part.length > LONGEST_PART);
      if (long >= 0)
        throw refuse(
          action,
          `part ${long + 1} of the command has ${command[long]?.length} characters; ECI takes ${LONGEST_PART}`,
        );
      return call(
        { action, signal, secrets: command.filter(({ length }) => length >= SECRET_LENGTH) },
        clients.eci,
        async ({ client, sdk }) => {
          const request = new sdk.ExecContainerCommandRequest({
            regionId,
            containerGroupId,
            containerName,
            command: JSON.stringify(command),
            TTY: tty,
            stdin,
            sync: false,
          });
          return readExec(bodyOf(await client.execContainerCommand(request)));
        },
      );
    },
  };
};
