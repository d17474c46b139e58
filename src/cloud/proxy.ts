import { Agent } from 'node:https';

/** Variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The way through the proxy that `HTTPS_PROXY` names, past the hosts that `NO_PROXY` names, as curl and Node read both,
 * in either case; undefined where none is named. Plain HTTP, as to the metadata service of an instance, goes directly.
 */
export const proxyAgentOf = (env: Environment): Agent | undefined => {
  const proxy = env['https_proxy'] || env['HTTPS_PROXY'];
  const except = env['no_proxy'] || env['NO_PROXY'];
  if (!proxy) return undefined;
  return new Agent({ keepAlive: true, proxyEnv: { HTTPS_PROXY: proxy, ...(except && { NO_PROXY: except }) } });
};

/**
 * Sends whatever the SDKs send over HTTPS through the agent: calls of the APIs and of STS. They have one HTTP client in
 * common, `httpx`, which knows of no proxy and gives each of them an agent of its own. Returns what undoes it.
 */
export const sendThrough = async (agent: Agent): Promise<() => void> => {
  const { default: httpx } = await import('httpx');
  const { request } = httpx;
  // The SDK writes the protocol as the endpoint was given, in capitals too.
  httpx.request = (url, options) =>
    request(url, url.slice(0, 6).toLowerCase() === 'https:' ? { ...options, agent } : options);
  return () => {
    httpx.request = request;
    agent.destroy();
  };
};
