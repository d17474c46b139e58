import type { KubeTransport } from './port.ts';

/**
 * The time of the API server, by the header Date of its answers, in whole seconds (RFC 9110, 6.6.1; Go's net/http sets
 * it): the clock that also sets creationTimestamp and deletionTimestamp, and that no restart of this process sets back.
 * Several API servers, or a proxy, may differ from each other.
 */
interface ServerTime {
  /** The latest that an answer has named, milliseconds, which is not later than now; undefined before there is one. */
  latest(): number | undefined;
}

/** The same transport, whose answers tell the time. */
export const tellingTime = (
  transport: KubeTransport,
): { readonly transport: KubeTransport; readonly time: ServerTime } => {
  let latest: number | undefined;
  return {
    transport: async (request) => {
      const response = await transport(request);
      const date = Date.parse(response.header('date') ?? '');
      if (!Number.isNaN(date)) latest = Math.max(latest ?? date, date);
      return response;
    },
    time: { latest: () => latest },
  };
};
