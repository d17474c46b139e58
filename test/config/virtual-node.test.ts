import test from 'ava';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';

const SMALL = 'clusterID: c1\nregionID: cn-hangzhou\nvpcID: vpc-1\n';

/** What is wrong with a virtual node, without the place. */
const wrong = (keys: string, more = ''): readonly string[] => {
  const node = `virtualNode: {enabled: true, vSwitchIDs: [vsw-1], securityGroupID: sg-1, ${keys}}\n`;
  try {
    loadConfig({ path: 'c.yaml', text: `${SMALL}${more}${node}`, env: {} });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replace(/^c\.yaml:\d+:\d+: /u, ''));
  }
  return [];
};

test('what of the virtual node does not go together is refused', (t) => {
  t.deepEqual(wrong('identity: certificate, kubelet: {requestCertificate: true}'), []);
  t.deepEqual(wrong('nodeName: one', 'leaderElection: {name: one}\n'), [
    'virtualNode.nodeName: leaderElection.name is the same; the virtual node has a Lease of its own, which is called as the node: give one of them another name',
  ]);
  t.deepEqual(wrong('kubelet: {requestCertificate: true, certFile: /a, keyFile: /b}'), [
    'virtualNode.kubelet.requestCertificate: requestCertificate and certFile are two ways to the same certificate: use one',
  ]);
  t.deepEqual(wrong('identity: serviceAccount, kubelet: {requestCertificate: true}'), [
    'virtualNode.kubelet.requestCertificate: only a node gets such a certificate: set virtualNode.identity to certificate, or requestCertificate to false',
  ]);
  const profile =
    'virtualNode.eciProfile: the eci-profile is applied by the webhooks, to pods of our own virtual node: set virtualNode.enabled and webhook.enabled to true, or virtualNode.eciProfile to false';
  t.deepEqual(wrong('eciProfile: true', 'webhook: {enabled: true}\n'), []);
  t.deepEqual(wrong('eciProfile: true'), [profile]);
});
