import { Option, type Command } from 'commander';

/**
 * kubectl's own flags about which cluster is asked, as whom and how, in its words. Source: `kubectl options`, that is
 * kubernetes/cli-runtime pkg/genericclioptions/config_flags.go, without those of basic authentication, which Kubernetes
 * does not have since 1.19.
 */
const CONNECTION: readonly (readonly [flags: string, description: string])[] = [
  ['--kubeconfig <file>', 'the kubeconfig, instead of that of KUBECONFIG or ~/.kube/config'],
  ['--context <name>', 'the context, instead of the current one'],
  ['--cluster <name>', 'the cluster of the kubeconfig, instead of that of the context'],
  ['--user <name>', 'the user of the kubeconfig, instead of that of the context'],
  ['-s, --server <url>', 'the API server'],
  ['--tls-server-name <name>', 'the name that its certificate must have'],
  ['--certificate-authority <file>', 'the authority of its certificate'],
  ['--insecure-skip-tls-verify', 'do not check its certificate'],
  ['--client-certificate <file>', 'the certificate to sign in with'],
  ['--client-key <file>', 'the key of that certificate'],
  ['--token <token>', 'the bearer token to sign in with'],
  ['--as <user>', 'act as this user, or service account'],
  ['--as-group <group>', 'act as a member of this group; may be repeated'],
  ['--as-uid <uid>', 'act with this UID'],
  ['--request-timeout <duration>', 'how long one request may take, such as 10s; 0 is without end'],
  ['--cache-dir <folder>', 'where kubectl keeps what it has asked the API server before'],
  ['--disable-compression', 'do not compress answers'],
];

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const optionOf = (flags: string, description: string): Option => {
  const option = new Option(flags, description).helpGroup('Options of kubectl:');
  return flags.startsWith('--as-group') ? option.argParser(collect) : option;
};

/** Adds kubectl's flags of the connection to a command. */
export const connectionFlags = (command: Command): Command => {
  for (const [flags, description] of CONNECTION) {
    const option = optionOf(flags, description);
    command.addOption(option);
    // kubectl's library takes a value for what is true or false, too. Commander would need to know it of each.
    if (option.isBoolean()) for (const value of ['true', 'false']) command.addOption(valued(option, value));
  }
  return command;
};

/** `--flag=true`, which is no word that the help needs. */
const valued = (option: Option, value: string): Option =>
  new Option(`${option.long ?? ''}=${value}`).hideHelp().helpGroup('Options of kubectl:');

/** The same flags for kubectl, from what commander has read of the command line. */
export const connectionArgs = (options: Readonly<Record<string, unknown>>): readonly string[] =>
  CONNECTION.flatMap(([flags]) => {
    const option = new Option(flags);
    const name = option.attributeName();
    const long = option.long ?? '';
    if (options[`${name}=false`] === true) return [`${long}=false`];
    const value = options[name] ?? options[`${name}=true`];
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map((one) => `${long}=${String(one)}`);
  });
