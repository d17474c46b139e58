import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { connect } from '../../src/kube/connect.ts';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';

test('API servers that offer HTTP/2 are asked over HTTP/1.1, by whomever and for whatever', async (t) => {
  const authority = await renew(undefined, ['127.0.0.1'], Date.now());
  const { cert, key } = authority.leaf;
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    response.end(request.httpVersion);
  });
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'eip-http1-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const kubeconfigPath = join(folder, 'config');
  const cluster = {
    server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    'certificate-authority-data': Buffer.from(bundleOf(authority)).toString('base64'),
  };
  await writeFile(
    kubeconfigPath,
    JSON.stringify({
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'secret' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  const connection = await connect({ kubeconfigPath });
  t.teardown(() => connection.close());
  const asNode = connection.as(() => ({ cert, key }));
  t.teardown(() => asNode.close());
  for (const [who, transport] of Object.entries({
    calls: connection.calls,
    watches: connection.watches,
    'calls as another': asNode.calls,
    'watches as another': asNode.watches,
  }))
    t.is(await (await transport({ method: 'GET', path: '/version' })).text(), '1.1', who);
});
