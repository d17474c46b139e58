import { CATALOGUE, FINDING_IDS } from './catalogue.ts';

const HEAD = `# Findings

What knative-eip says about annotations that contradict themselves, each other, or what is around them. The same rules
speak in \`knative-eip explain\`, in the validating webhook, and in the controller's Events and conditions, so that they
never disagree. The IDs are stable: they are the reasons of Events and conditions, and labels of metrics.

- **refuse**: nothing is bought. With the webhook the object is not let in; without it the pod runs without an address.
- **warn**: it goes on, and you are told.
- **note**: worth knowing, and nothing is wrong. Only \`explain\` says it.
`;

/** docs/findings.md. */
export const findingsPage = (): string =>
  [
    HEAD,
    ...FINDING_IDS.map((id) => {
      const { severity, what, remedy } = CATALOGUE[id];
      return `## ${id}\n\n**${severity}** · ${what}\n\n${remedy}\n`;
    }),
  ].join('\n');
