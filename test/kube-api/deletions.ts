import { eventually, MERGE, pod, podEip, podEips, pods, type Behaviour } from './client.ts';

/** Deleting, with finalizers, grace, preconditions and dependents. */
export const deletions: readonly Behaviour[] = [
  {
    title: 'DELETE answers with a Status that names the object, and it is gone',
    check: async (t, { namespace, request }) => {
      const { body } = await request('POST', podEips(namespace), podEip('a'));
      const deleted = await request('DELETE', `${podEips(namespace)}/a`);
      t.is(deleted.status, 200);
      t.like(deleted.body, {
        kind: 'Status',
        status: 'Success',
        details: { name: 'a', group: 'alibabacloud.com', kind: 'podeips', uid: body.metadata.uid },
      });
      t.is((await request('GET', `${podEips(namespace)}/a`)).status, 404);
      t.is((await request('DELETE', `${podEips(namespace)}/a`)).status, 404);
    },
  },
  {
    title: 'DELETE with a precondition that does not hold is 409',
    check: async (t, { namespace, request }) => {
      const path = `${podEips(namespace)}/a`;
      const { body } = await request('POST', podEips(namespace), podEip('a'));
      const { uid, resourceVersion } = body.metadata;
      const otherUid = await request('DELETE', path, { preconditions: { uid: 'other' } });
      t.is(otherUid.status, 409);
      t.is(otherUid.body.reason, 'Conflict');
      t.true(
        otherUid.body.message?.includes(
          `the UID in the precondition (other) does not match the UID in record (${uid})`,
        ),
      );
      t.is((await request('DELETE', path, { preconditions: { uid, resourceVersion: '1' } })).status, 409);
      t.is((await request('DELETE', path, { preconditions: { uid, resourceVersion } })).status, 200);
    },
  },
  {
    title: 'an object with finalizers is only marked; it goes with the last of them, and gets no new ones',
    check: async (t, { namespace, request, watch }) => {
      const path = `${podEips(namespace)}/a`;
      const events = await watch(`${podEips(namespace)}?watch=true`);
      await request('POST', podEips(namespace), podEip('a', { finalizers: ['x.io/a'] }));
      const marked = await request('DELETE', path);
      t.is(marked.status, 200);
      t.like(marked.body.metadata, { finalizers: ['x.io/a'], deletionGracePeriodSeconds: 0, generation: 2 });
      t.truthy(marked.body.metadata['deletionTimestamp']);
      const again = await request('DELETE', path);
      t.is(again.body.metadata.resourceVersion, marked.body.metadata.resourceVersion);
      const added = await request('PATCH', path, { metadata: { finalizers: ['x.io/a', 'x.io/b'] } }, MERGE);
      t.is(added.status, 422);
      t.true(
        added.body.message?.includes(
          'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted',
        ),
      );
      t.is((await request('PATCH', path, { metadata: { annotations: { still: 'writable' } } }, MERGE)).status, 200);
      const last = await request('PATCH', path, { metadata: { finalizers: null } }, MERGE);
      t.is(last.status, 200);
      t.is(last.body.metadata['finalizers'], undefined);
      t.is((await request('GET', path)).status, 404);
      const deleted = await events.until(({ type }) => type === 'DELETED');
      t.deepEqual(
        events.events.map(({ type }) => type),
        ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
      );
      t.deepEqual(deleted.object.metadata['finalizers'], ['x.io/a'], 'what was stored last, not what took it away');
      t.true(Number(deleted.object.metadata.resourceVersion) > Number(last.body.metadata.resourceVersion));
    },
  },
  {
    title: 'a pod that is on no node goes at once',
    check: async (t, { namespace, request }) => {
      await request('POST', pods(namespace), pod('p'));
      const deleted = await request('DELETE', `${pods(namespace)}/p`);
      t.is(deleted.body.kind, 'Pod');
      t.is(deleted.body.metadata['deletionGracePeriodSeconds'], 0);
      t.is((await request('GET', `${pods(namespace)}/p`)).status, 404);
    },
  },
  {
    title: 'a pod on a node stays for its grace period, until it is deleted with none',
    check: async (t, { namespace, request, watch }) => {
      const events = await watch(`${pods(namespace)}?watch=true`);
      await request('POST', pods(namespace), pod('p', {}, { nodeName: 'node-1' }));
      const marked = await request('DELETE', `${pods(namespace)}/p`);
      t.is(marked.body.metadata['deletionGracePeriodSeconds'], 30);
      t.is(
        (await request('DELETE', `${pods(namespace)}/p`)).body.metadata.resourceVersion,
        marked.body.metadata.resourceVersion,
      );
      t.is((await request('GET', `${pods(namespace)}/p`)).status, 200);
      t.is((await request('DELETE', `${pods(namespace)}/p?gracePeriodSeconds=0`)).status, 200);
      t.is((await request('GET', `${pods(namespace)}/p`)).status, 404);
      await events.until(({ type }) => type === 'DELETED');
      t.deepEqual(
        events.events.map(({ type }) => type),
        ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
      );
    },
  },
  {
    title: 'a pod with a finalizer outlives its grace period',
    check: async (t, { namespace, request }) => {
      await request('POST', pods(namespace), pod('p', { finalizers: ['x.io/a'] }, { nodeName: 'node-1' }));
      await request('DELETE', `${pods(namespace)}/p`);
      const ended = await request('DELETE', `${pods(namespace)}/p?gracePeriodSeconds=0`);
      t.is(ended.body.metadata['deletionGracePeriodSeconds'], 0);
      t.is((await request('GET', `${pods(namespace)}/p`)).status, 200);
      await request('PATCH', `${pods(namespace)}/p`, { metadata: { finalizers: null } }, MERGE);
      t.is((await request('GET', `${pods(namespace)}/p`)).status, 404);
    },
  },
  {
    title: 'DELETE of a collection deletes what is selected and answers with it',
    check: async (t, { namespace, request }) => {
      for (const [name, app] of [
        ['a', 'web'],
        ['b', 'web'],
        ['c', 'api'],
      ] as const)
        await request('POST', podEips(namespace), podEip(name, { labels: { app } }));
      const deleted = await request('DELETE', `${podEips(namespace)}?labelSelector=app%3Dweb`);
      t.is(deleted.status, 200);
      t.deepEqual(
        deleted.body.items?.map(({ metadata }) => metadata.name),
        ['a', 'b'],
      );
      t.deepEqual(
        (await request('GET', podEips(namespace))).body.items?.map(({ metadata }) => metadata.name),
        ['c'],
      );
    },
  },
  {
    title: 'dependents go after their owner, unless they are orphaned',
    check: async (t, { namespace, request, watch }) => {
      const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
      const owned = async (owner: string, name: string) => {
        const { body } = await request('POST', podEips(namespace), podEip(owner));
        const reference = {
          apiVersion: 'alibabacloud.com/v1beta1',
          kind: 'PodEIP',
          name: owner,
          uid: body.metadata.uid,
        };
        await request('POST', configMaps, { metadata: { name, ownerReferences: [reference] } });
      };
      await owned('goes', 'dependent');
      await owned('orphans', 'orphan');
      const events = await watch(`${configMaps}?watch=true`);
      await request('DELETE', `${podEips(namespace)}/goes`);
      await events.until(({ type, object }) => type === 'DELETED' && object.metadata.name === 'dependent');
      await request('DELETE', `${podEips(namespace)}/orphans`, { propagationPolicy: 'Orphan' });
      await events.until(({ type, object }) => type === 'MODIFIED' && object.metadata['ownerReferences'] === undefined);
      const orphan = await request('GET', `${configMaps}/orphan`);
      t.is(orphan.status, 200);
      const gone = await eventually(
        () => request('GET', `${podEips(namespace)}/orphans`),
        ({ status }) => status === 404,
      );
      t.is(gone.status, 404);
    },
  },
  {
    title: 'a namespace that is deleted takes nothing new, and goes when all in it has gone',
    check: async (t, { namespace, request }) => {
      const other = `${namespace}-other`;
      const kept = await request('DELETE', '/api/v1/namespaces/kube-system');
      t.is(kept.status, 403);
      t.is(kept.body.message, 'namespaces "kube-system" is forbidden: this namespace may not be deleted');
      await request('POST', '/api/v1/namespaces', { metadata: { name: other } });
      await request('POST', podEips(other), podEip('held', { finalizers: ['x.io/a'] }));
      await request('POST', `/api/v1/namespaces/${other}/configmaps`, { metadata: { name: 'c' } });
      const deleted = await request('DELETE', `/api/v1/namespaces/${other}`);
      t.is(deleted.status, 200);
      t.like(deleted.body, { kind: 'Namespace', status: { phase: 'Terminating' } });
      const held = await eventually(
        () => request('GET', `${podEips(other)}/held`),
        ({ body }) => body.metadata['deletionTimestamp'] !== undefined,
      );
      t.truthy(held.body.metadata['deletionTimestamp']);
      t.is(
        (
          await eventually(
            () => request('GET', `/api/v1/namespaces/${other}/configmaps/c`),
            ({ status }) => status === 404,
          )
        ).status,
        404,
      );
      const late = await request('POST', podEips(other), podEip('late'));
      t.is(late.status, 403);
      t.is(
        late.body.message,
        `podeips.alibabacloud.com "late" is forbidden: unable to create new content in namespace ${other} because it is being terminated`,
      );
      await request('PATCH', `${podEips(other)}/held`, { metadata: { finalizers: null } }, MERGE);
      const gone = await eventually(
        () => request('GET', `/api/v1/namespaces/${other}`),
        ({ status }) => status === 404,
      );
      t.is(gone.status, 404);
    },
  },
];
