/** The release whose behaviour the sandbox follows, and that it is not that release. */
export const CLUSTER_VERSION = 'v1.36.3+sandbox';
