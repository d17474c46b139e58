import type { Area } from '../../src/doctor/check.ts';
import { CHECKS, DIAGNOSIS_IDS } from '../../src/doctor/diagnose.ts';
import { QUESTIONS } from '../../src/doctor/facts.ts';

const HEAD = `# Doctor

<!-- Made by npm run docs from the checks in src/doctor. -->

\`knative-eip doctor\`, which is also \`kubectl eip doctor\`, reads the cluster and, where credentials are, the account. It says what
does not work, or will not, with the value that it saw and what to do about it. It changes nothing: beside reads it sends access reviews,
and dry runs that the server does not carry out. Each check has a name that stays, by which scripts can go:

\`\`\`sh
knative-eip doctor                            # through your own kubectl
knative-eip doctor --output json              # findings, what could not be asked, and what is well
knative-eip doctor --bundle support.json      # also what helps others to help you
\`\`\`

It ends with 0 where nothing is an error (there may be warnings), with 1 where something is, and with 2 where the cluster cannot be
asked. Every question has 20 seconds, and those that need no other answer are asked at once; where the API server does not answer the first in that
time, it ends with 2. What gets no answer later is listed with the reason, and the checks that need it are not made.

## Where to run it

- **On your machine**, with \`--kubeconfig\` or kubectl’s other flags. It sees all of the cluster that you may see. The account is asked with the
  credentials of your environment (\`ALIBABA_CLOUD_ACCESS_KEY_ID\`, a profile), so that what it says of RAM is about you.
- **In the pod**, as the controller and with its credentials, network and clock: what it says of RAM and endpoints is what the controller meets. Its
  service account sees less of the cluster. The image has no shell:
  \`\`\`sh
  kubectl -n knative-eip-system exec deploy/knative-eip -- /nodejs/bin/node dist/main.js doctor
  \`\`\`
- **In the sandbox**, with the kubeconfig that it prints.

It looks for a Deployment \`knative-eip\` with the label of that name, first in \`knative-eip-system\`. Where others are called like it, and none is
there, it judges none before you give \`-n NAMESPACE\`. Whoever may make a Deployment and a ConfigMap anywhere can write what an installation
looks like, so from your machine no credentials are sent to \`endpoints\` of a configuration that it has only found: give \`-n\` or \`--config\`. They
are never sent over plain http to another machine.

## Kubeconfigs

\`controller\`, \`migrate\`, \`drain\`, and \`doctor\` with \`--kubeconfig\` alone read the kubeconfig themselves; everything else asks through your \`kubectl\`. They
take tokens, client certificates, exec plug-ins (\`ack-ram-tool\` and others) and \`proxy-url\` as kubectl does. What they cannot serve is refused at the start, with
what to do instead:

- \`auth-provider: oidc\`: the ID token of the file is used, and the file is read again once that has expired. They do not renew it: \`kubectl version\` does, and
  writes it into the file. \`auth-provider: gcp\`, \`azure\` and others, which kubectl has no more either: use an exec plug-in.
- An exec plug-in with \`interactiveMode: Always\`: it would ask at a terminal.
- \`proxy-url: socks5://…\` to a server that is given by its IP address. Give its name, or use \`kubectl proxy\`.

## Rights

An administrator has all. For others \`config/doctor\` has a ClusterRole and a Role, which let nobody change anything and read no Secret. The Role is for
the namespace \`knative-eip-system\`; change it where the product is elsewhere:

\`\`\`sh
kubectl apply -k config/doctor
kubectl create clusterrolebinding knative-eip-doctor --clusterrole=knative-eip-doctor --group=SUPPORT
kubectl -n knative-eip-system create rolebinding knative-eip-doctor --role=knative-eip-doctor --group=SUPPORT
\`\`\`

Whether the webhooks answer is found out by the dry run of a pod in the namespace \`default\`, for which one must be able to create pods there.
Of the Secret \`knative-eip-webhook\` only the fingerprints of the authorities are used, of the virtual node’s only the end of its certificate; without the
right to read them both are listed as not asked.

In the account it calls \`vpc:DescribeEipAddresses\`, \`vpc:DescribeCommonBandwidthPackages\` and \`ecs:DescribeNetworkInterfaces\`; with a virtual node of our own
\`eci:DescribeContainerGroups\` and, with \`DryRun\`, \`eci:CreateContainerGroup\`. \`vpc:DescribeNatGateways\` and \`vpc:DescribeSnatTableEntries\` are for doctor alone and
in no policy of ours: without them it does not know whether the VPC has a way to public registries. Buying, binding and releasing have no dry run. Whether
they are allowed is seen on PodEIPs ([CloudMisconfigured](troubleshooting.md#cloudmisconfigured)), or asked for cents by [the probe](probe.md).

## The support bundle

\`--bundle FILE\` writes one JSON document, which you can read before you send it: versions, the configuration without secrets and where each value comes
from, everything that was read, the findings, PodEIPs, EipPolicies, our Events, and the last 500 lines of each log. \`--bundle -\` writes it to standard
output, for the pod, which has no disk. No Secret is in it; AccessKeys, tokens, passwords and queries of URLs are cut out of every text. IDs and addresses
are in it, unless \`--redact\` writes a hash in their place, the same for the same value.

## Checks
`;

const TITLES: Readonly<Record<Area, string>> = {
  cluster: 'The cluster',
  installation: 'The installation',
  webhooks: 'Webhooks',
  'virtual node': 'The virtual node',
  Knative: 'Knative',
  cloud: 'The cloud',
  policies: 'Policies',
  addresses: 'Addresses',
};

/** docs/doctor.md: every check, from the table that makes them. */
export const doctorPage = (): string =>
  [
    HEAD,
    ...(Object.keys(TITLES) as Area[]).flatMap((area) => [
      `### ${TITLES[area]}\n`,
      ...DIAGNOSIS_IDS.filter((id) => CHECKS[id].area === area).flatMap((id) => {
        const { severity, what, mend, needs } = CHECKS[id];
        const asks = needs.map((name) => QUESTIONS[name]).join('; ');
        return [`#### ${id}\n`, `**${severity}** · ${what}\n`, `**What to do**: ${mend}\n`, `It reads ${asks}.\n`];
      }),
    ]),
  ].join('\n');
