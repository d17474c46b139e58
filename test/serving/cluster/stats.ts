/** What the autoscaler is told of a pod. Source: knative/serving pkg/autoscaler/metrics/stat.proto. */
export interface Stat {
  readonly podName: string;
  readonly averageConcurrentRequests: number;
  readonly averageProxiedConcurrentRequests: number;
  readonly requestCount: number;
  readonly proxiedRequestCount: number;
  readonly processUptime: number;
}

/** In protobuf, as the autoscaler asks for it. */
export const encodeStat = (stat: Stat): Buffer => {
  const name = Buffer.from(stat.podName);
  const numbers = [
    stat.averageConcurrentRequests,
    stat.averageProxiedConcurrentRequests,
    stat.requestCount,
    stat.proxiedRequestCount,
    stat.processUptime,
  ];
  const fields = numbers.map((value, index) => {
    const field = Buffer.alloc(9);
    // Wire type 1: 64 bits.
    field[0] = ((index + 2) << 3) | 1;
    field.writeDoubleLE(value, 1);
    return field;
  });
  return Buffer.concat([Buffer.from([0x0a, name.length]), name, ...fields]);
};

/** The mean of a number that changes in steps, over the time since it was last asked for. */
const createMean = () => {
  let value = 0;
  let area = 0;
  let since = performance.now();
  let from = since;
  const settle = () => {
    const now = performance.now();
    area += value * (now - since);
    since = now;
  };
  return {
    add: (change: number) => {
      settle();
      value += change;
    },
    value: () => value,
    take: () => {
      settle();
      const span = since - from;
      const mean = span > 0 ? area / span : value;
      area = 0;
      from = since;
      return mean;
    },
  };
};

/** How often queue-proxy makes a new report. Source: knative/serving pkg/queue/sharedmain/main.go. */
const REPORT_EVERY_MS = 1_000;

/** Counts requests as queue-proxy does: concurrency as a mean over time, and the part that came by the activator. */
export const createRequestStats = (podName: string) => {
  const started = performance.now();
  const all = createMean();
  const proxied = createMean();
  let requests = 0;
  let proxiedRequests = 0;
  let last: Stat;
  const report = () => {
    last = {
      podName,
      averageConcurrentRequests: all.take(),
      averageProxiedConcurrentRequests: proxied.take(),
      requestCount: requests,
      proxiedRequestCount: proxiedRequests,
      processUptime: (performance.now() - started) / 1_000,
    };
    requests = proxiedRequests = 0;
    return last;
  };
  last = report();
  const timer = setInterval(report, REPORT_EVERY_MS);
  return {
    /** Returns how to say that it is over. */
    begin: (isProxied: boolean) => {
      all.add(1);
      requests += 1;
      if (isProxied) {
        proxied.add(1);
        proxiedRequests += 1;
      }
      return () => {
        all.add(-1);
        if (isProxied) proxied.add(-1);
      };
    },
    inFlight: () => all.value(),
    latest: (): Stat => last,
    stop: () => clearInterval(timer),
  };
};
