import { couldNotBeRead, type Answer, type Facts } from '../facts.ts';
import type { Reading } from './ask.ts';
import { addressFacts, readAddressObjects, type AddressObjects } from './read-addresses.ts';
import {
  readAccount,
  readAccountFit,
  readCredentials,
  readEndpoints,
  readMissingEips,
  readOtherClusters,
  type CloudQuestioning,
} from './read-cloud.ts';
import {
  readAddOnNodes,
  readApiServer,
  readDefinitions,
  readKnative,
  readOtherControllers,
  readRights,
} from './read-cluster.ts';
import { readClusterUid, readInstallation, type Installation } from './read-installation.ts';
import { readImageCaches } from './read-image-caches.ts';
import { readNodeCertificate, readNodeRequests, readVirtualNode } from './read-node.ts';
import { readProfile } from './read-profile.ts';
import { readWebhookAnswer, readWebhooks, readWebhookSecret } from './read-webhooks.ts';

export interface FactsWanted extends Reading {
  readonly version: string;
  readonly namespace: string | undefined;
  readonly configPath: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The cloud by what the configuration says, or why it cannot be asked from here. */
  readonly cloudOf: (
    loaded: NonNullable<Installation['loaded']>,
    place: Pick<Installation, 'namespace' | 'isNamed'>,
  ) => CloudQuestioning | string;
}

/** Everything that was read, and the objects that the bundle shows beside it. */
export interface ReadFacts {
  readonly facts: Facts;
  readonly installation: Installation;
  readonly objects: AddressObjects;
}

type CloudQuestions = Pick<
  Facts['answers'],
  | 'endpoints'
  | 'credentials'
  | 'calls'
  | 'account'
  | 'eipsInAccount'
  | 'packages'
  | 'nat'
  | 'otherClusters'
  | 'missingEips'
>;

const notAsked = (why: string): CloudQuestions => {
  const answer = couldNotBeRead(why);
  return {
    endpoints: answer,
    credentials: answer,
    calls: answer,
    account: answer,
    eipsInAccount: answer,
    packages: answer,
    nat: answer,
    otherClusters: answer,
    missingEips: answer,
  };
};

const cloudAnswers = async (
  wanted: FactsWanted,
  installation: Installation,
  known: { readonly uid: Answer<string>; readonly podEips: Facts['answers']['podEips'] },
): Promise<CloudQuestions> => {
  const { loaded, configuration } = installation;
  if (!loaded)
    return notAsked(
      configuration.known && configuration.value === undefined
        ? 'no configuration was found, which says region and VPC; write --config FILE'
        : 'the configuration says where, and it cannot be used',
    );
  const { config } = loaded;
  const cloud = wanted.cloudOf(loaded, installation);
  if (typeof cloud === 'string') return notAsked(cloud);
  const [endpoints, credentials] = await Promise.all([
    readEndpoints(wanted, cloud, config),
    readCredentials(wanted, cloud),
  ]);
  if (credentials.known && credentials.value.problem !== undefined)
    return {
      ...notAsked('nobody can sign in to the cloud'),
      endpoints,
      credentials,
      calls: { known: true, value: [] },
    };
  if (endpoints.known && endpoints.value.some(({ product, isReached }) => product === 'vpc' && !isReached))
    return {
      ...notAsked('the VPC API cannot be reached from here'),
      endpoints,
      credentials,
      calls: { known: true, value: [] },
    };
  const [account, fit, otherClusters, missingEips] = await Promise.all([
    readAccount(wanted, cloud, { config, part: installation.part }),
    readAccountFit(wanted, cloud, config),
    readOtherClusters(wanted, cloud, { clusterID: config.clusterID, uid: known.uid }),
    readMissingEips(wanted, cloud, known.podEips),
  ]);
  return { endpoints, credentials, ...account, account: fit, otherClusters, missingEips };
};

/**
 * Reads all that doctor asks. Never rejects: what could not be read says why. Where the API server is silent at the
 * first question, nothing else is asked: each would wait for as long.
 */
export const readFacts = async (wanted: FactsWanted): Promise<ReadFacts | { readonly silence: string }> => {
  const { clock } = wanted;
  const apiServer = await readApiServer(wanted);
  if (!apiServer.known && apiServer.isSilent) return { silence: apiServer.why };
  const ahead = apiServer.known ? (apiServer.value.aheadMs ?? 0) : 0;
  const serverNow = () => clock.now() + ahead;
  const installation = await readInstallation(wanted, wanted, serverNow);
  const { namespace, serviceAccount, nodeAccount, part, loaded } = installation;
  const config = loaded?.config;
  const [clusterUid, objects, webhooks, ...rest] = await Promise.all([
    readClusterUid(wanted),
    readAddressObjects(wanted),
    readWebhooks(wanted, config),
    readDefinitions(wanted),
    readRights(wanted, { namespace, serviceAccount, part, config }),
    readWebhookSecret(wanted, { namespace, config }),
    readVirtualNode(wanted, config, serverNow),
    readNodeRequests(wanted, { namespace, config }),
    readNodeCertificate(wanted, { namespace, config }),
    readKnative(wanted),
    readOtherControllers(wanted),
    readAddOnNodes(wanted),
    readImageCaches(wanted, { namespace, account: nodeAccount, config }),
    readProfile(wanted, config),
  ]);
  const [definitions, rights, webhookSecret, virtualNode, nodeRequests, nodeCertificate] = rest;
  const [, , , , , , knative, otherControllers, addOnNodes, imageCaches, eciProfile] = rest;
  const addresses = await addressFacts(objects, serverNow());
  const [webhookAnswer, cloud] = await Promise.all([
    webhooks.known ? readWebhookAnswer(wanted, webhooks.value) : webhooks,
    cloudAnswers(wanted, installation, { uid: clusterUid, podEips: addresses.podEips }),
  ]);
  return {
    facts: {
      at: clock.now(),
      version: wanted.version,
      namespace,
      isInPod: wanted.isInPod,
      answers: {
        configuration: installation.configuration,
        apiServer,
        clusterUid,
        definitions,
        deployments: installation.deployments,
        leases: installation.leases,
        rights,
        webhooks,
        webhookSecret,
        webhookAnswer,
        virtualNode,
        imageCaches,
        nodeRequests,
        nodeCertificate,
        knative,
        otherControllers,
        addOnNodes,
        eciProfile,
        ...addresses,
        ...cloud,
      },
    },
    installation,
    objects,
  };
};
