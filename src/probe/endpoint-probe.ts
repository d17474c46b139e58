import { asAssumed, differs, probe, type Probe } from './probe.ts';

/** Where the APIs can be reached from here. */
export const endpointProbes: readonly Probe[] = [
  probe({
    id: 'P0',
    assumption: 'each API answers at one of its hosts, inside of the VPC or outside',
    needs: ['hosts'],
    run: async ({ ports, site }) => {
      const answering: string[] = [];
      const silent: string[] = [];
      for (const [product, hosts] of Object.entries(site.hosts)) {
        const reached = await Promise.all(hosts.map((host) => ports.reaches(host)));
        answering.push(...hosts.filter((_, index) => reached[index]));
        if (!reached.includes(true)) silent.push(product);
      }
      return { answering, silent };
    },
    evaluate: ({ answering, silent }) =>
      silent.length === 0 ? asAssumed(answering.join(', ')) : differs(`none answers for ${silent.join(', ')}`),
  }),
  probe({
    id: 'P0-sts',
    assumption: 'STS gives credentials for the token of the service account (AssumeRoleWithOIDC)',
    needs: ['sts'],
    run: async ({ ports }) => {
      const began = ports.clock.mono();
      const problem = await ports.renew?.();
      return { problem, ms: Math.round(ports.clock.mono() - began) };
    },
    evaluate: ({ problem, ms }) => (problem === undefined ? asAssumed(`after ${ms} ms`) : differs(problem)),
  }),
];
