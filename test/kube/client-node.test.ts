import { registerHooks } from 'node:module';
import test from 'ava';
import { importClientNode } from '../../src/kube/client-node.ts';
import { scriptedServer } from '../harness/scripted-server.ts';

test('of client-node only what is used is loaded, and whoever wants all of it gets the same', async (t) => {
  const loaded: string[] = [];
  const hooks = registerHooks({
    load: (url, context, next) => {
      loaded.push(url);
      return next(url, context);
    },
  });
  const { KubeConfig, RequestContext, IsomorphicFetchHttpLibrary } = await importClientNode();
  hooks.deregister();
  const ofClientNode = loaded.filter((url) => url.includes('/@kubernetes/client-node/'));
  t.true(ofClientNode.some((url) => url.endsWith('/dist/config.js')));
  t.true(ofClientNode.length < 40, `${ofClientNode.length} files instead of more than a thousand`);
  t.deepEqual(
    ofClientNode.filter((url) => /\/gen\/(models|apis|types)\//.test(url)),
    [],
  );

  const all = await import('@kubernetes/client-node');
  t.is(all.KubeConfig, KubeConfig);
  t.is(all.RequestContext, RequestContext);
  t.is(all.IsomorphicFetchHttpLibrary, IsomorphicFetchHttpLibrary);
  const { url, close } = await scriptedServer(({ path, json }) => json(200, { metadata: { name: path } }));
  t.teardown(close);
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' });
  const { metadata } = await config.makeApiClient(all.CoreV1Api).readNamespace({ name: 'n' });
  t.is(metadata?.name, '/api/v1/namespaces/n');
});
