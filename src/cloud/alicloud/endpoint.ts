/** An endpoint as the SDK wants it: the host, with the port if it is not the protocol's own, and the protocol. */
export interface ApiEndpoint {
  readonly host: string;
  readonly protocol: 'HTTP' | 'HTTPS';
}

/**
 * Reads an endpoint setting: `host`, `host:port`, or either with `http://` or `https://` before it. The SDK itself
 * would take the prefix for a host name and look up "http".
 *
 * @throws RangeError with the setting's text when it is anything else: a path, user information, a query.
 */
export const parseApiEndpoint = (setting: string): ApiEndpoint => {
  const match = /^(?:(https?):\/\/)?((?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?)\/?$/iu.exec(
    setting,
  );
  const host = match?.[2];
  if (host === undefined) {
    throw new RangeError(
      `the endpoint ${JSON.stringify(setting.slice(0, 100))} is not host[:port], optionally after http:// or https://`,
    );
  }
  return { host, protocol: match?.[1]?.toLowerCase() === 'http' ? 'HTTP' : 'HTTPS' };
};

/** ECS API reference, endpoints: cn-hangzhou is the one whose name differs. */
export const defaultEcsHost = (region: string): string =>
  region === 'cn-hangzhou' ? 'ecs-cn-hangzhou.aliyuncs.com' : `ecs.${region}.aliyuncs.com`;

/** ECI API reference, endpoints. The SDK has no map of them and would throw without one. */
export const defaultEciHost = (region: string): string => `eci.${region}.aliyuncs.com`;
