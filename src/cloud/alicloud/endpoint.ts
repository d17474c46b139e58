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

/** The APIs that are asked. */
export type Product = 'vpc' | 'ecs' | 'eci' | 'sts';

/**
 * The hosts where a product's API may be in a region, the one to prefer first: inside a VPC of the region, then public
 * ones. Sources: the endpoint lists of the API references, and the products' endpoints in aliyun-openapi-meta: every
 * region has `<product>-vpc.<region>.aliyuncs.com` but for cn-hangzhou-finance (ecs, eci); the regions of the finance
 * and government clouds are served by central hosts too, or by names without their number.
 */
export const endpointCandidates = (product: Product, region: string): readonly [string, ...string[]] => {
  const host = (name: string, of = region): string => `${name}.${of}.aliyuncs.com`;
  const inside = host(`${product}-vpc`);
  const isSpecial = region.includes('finance') || region.includes('gov');
  switch (product) {
    case 'vpc':
      return [inside, host('vpc'), 'vpc.aliyuncs.com'];
    case 'ecs':
      return [inside, defaultEcsHost(region), ...(isSpecial ? ['ecs.aliyuncs.com'] : [])];
    case 'eci':
      return [
        inside,
        defaultEciHost(region),
        ...(isSpecial ? [host('eci', region.endsWith('-1') ? region.slice(0, -2) : region)] : []),
      ];
    case 'sts':
      return [inside, host('sts'), 'sts.aliyuncs.com'];
  }
};

/** VPC API reference, endpoints, and the SDK's own map: cn-hangzhou and the finance and government clouds differ. */
export const defaultVpcHost = (region: string): string =>
  region === 'cn-hangzhou' || region.includes('finance') || region.includes('gov')
    ? 'vpc.aliyuncs.com'
    : `vpc.${region}.aliyuncs.com`;

/** ECS API reference, endpoints: cn-hangzhou is the one whose name differs. */
export const defaultEcsHost = (region: string): string =>
  region === 'cn-hangzhou' ? 'ecs-cn-hangzhou.aliyuncs.com' : `ecs.${region}.aliyuncs.com`;

/** ECI API reference, endpoints. The SDK has no map of them and would throw without one. */
export const defaultEciHost = (region: string): string => `eci.${region}.aliyuncs.com`;
