import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { configOf } from '../harness/settings.ts';

interface Role {
  readonly rules: readonly {
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
}

for (const folder of ['virtual-node', 'virtual-node-service-account'])
  test(`the roles of config/${folder} change the Node and the Lease of its own name, and no other`, (t) => {
    const text = readFileSync(new URL(`../../config/${folder}/role.yaml`, import.meta.url), 'utf8');
    const rules = parseAllDocuments(text).flatMap((each) => (each.toJS() as Role).rules);
    const { nodeName } = configOf().virtualNode;
    for (const resource of ['nodes', 'nodes/status', 'leases']) {
      const about = rules.filter(({ resources }) => resources.includes(resource));
      t.true(
        about.some(({ verbs }) => verbs.includes('patch') || verbs.includes('update')),
        resource,
      );
      // RBAC cannot bind the creation of an object to its name.
      for (const { verbs, resourceNames } of about)
        if (verbs.some((verb) => ['get', 'patch', 'update'].includes(verb)))
          t.deepEqual(resourceNames, [nodeName], resource);
    }
    t.false(rules.some(({ verbs }) => verbs.includes('*')));
    for (const { resources, verbs } of rules)
      if (resources.some((it) => it === 'secrets' || it === 'configmaps'))
        t.true(
          verbs.every((verb) => ['get', 'create', 'patch'].includes(verb)),
          'no list, no watch',
        );
  });
