/** A value that the environment gives to a key. */
interface Override {
  readonly variable: string;
  readonly key: readonly string[];
  /** Undefined takes away what the file says. */
  readonly value: string | undefined;
  /** Counts only where the file is silent. */
  readonly weak: boolean;
}

/**
 * Every environment variable that is read, and what it is for. The names of the first three are Alibaba Cloud's own.
 */
const VARIABLES: readonly {
  readonly variable: string;
  readonly key: readonly string[];
  readonly weak?: boolean;
  readonly description: string;
}[] = [
  { variable: 'ALIBABA_CLOUD_ACCESS_KEY_ID', key: ['credential', 'accessKey'], description: 'AccessKey ID' },
  { variable: 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', key: ['credential', 'accessSecret'], description: 'AccessKey secret' },
  {
    variable: 'ALIBABA_CLOUD_SECURITY_TOKEN',
    key: ['credential', 'securityToken'],
    description: 'token of temporary credentials',
  },
  { variable: 'KNATIVE_EIP_ENDPOINT_VPC', key: ['endpoints', 'vpc'], description: 'where the VPC API is' },
  { variable: 'KNATIVE_EIP_ENDPOINT_ECS', key: ['endpoints', 'ecs'], description: 'where the ECS API is' },
  { variable: 'KNATIVE_EIP_ENDPOINT_ECI', key: ['endpoints', 'eci'], description: 'where the ECI API is' },
  { variable: 'KNATIVE_EIP_ENDPOINT_STS', key: ['endpoints', 'sts'], description: 'where the STS API is' },
  {
    variable: 'POD_NAMESPACE',
    key: ['leaderElection', 'namespace'],
    weak: true,
    description: 'namespace of the Lease, where the file names none',
  },
  {
    variable: 'POD_NAME',
    key: ['leaderElection', 'identity'],
    weak: true,
    description: 'name of this replica, where the file names none',
  },
  {
    variable: 'POD_IP',
    key: ['virtualNode', 'kubelet', 'advertiseAddress'],
    weak: true,
    description: 'address of the kubelet endpoint, where the file names none',
  },
  {
    variable: 'K_SINK',
    key: ['cloudEvents', 'sink'],
    weak: true,
    description: 'where CloudEvents go, where the file does not say; a Knative SinkBinding sets it and the next two',
  },
  {
    variable: 'K_CA_CERTS',
    key: ['cloudEvents', 'caCertificates'],
    weak: true,
    description: 'certificates of that sink, PEM',
  },
  {
    variable: 'K_CE_OVERRIDES',
    key: ['cloudEvents', 'overrides'],
    weak: true,
    description: 'extension attributes for CloudEvents, JSON',
  },
];

/** A variable that looks like one of ours and is none. Other KNATIVE_EIP_* may come from Kubernetes' Service links. */
export const UNKNOWN_ENDPOINT = /^KNATIVE_EIP_ENDPOINT_(?!(?:VPC|ECS|ECI|STS)$)/;

/**
 * What the environment says; an empty variable says nothing. Credentials come as a whole: with any of the three
 * variables set, none of the file's three counts, so that an ID never meets another's secret.
 */
export const environment = (env: Readonly<Record<string, string | undefined>>): Override[] => {
  const said = (variable: string) => (env[variable] === '' ? undefined : env[variable]);
  const credentials = VARIABLES.some(({ variable, key }) => key[0] === 'credential' && said(variable) !== undefined);
  return VARIABLES.map(({ variable, key, weak }) => ({
    variable,
    key,
    value: said(variable),
    weak: weak ?? false,
  })).filter(({ key, value }) => value !== undefined || (credentials && key[0] === 'credential'));
};
