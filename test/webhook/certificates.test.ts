import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import test from 'ava';
import { bundleOf, renew, type Authority } from '../../src/webhook/certificates.ts';
import { serveTls } from '../../src/web/http-server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import Koa from 'koa';

const HOSTS = ['knative-eip-webhook.knative-eip-system.svc', '127.0.0.1'];
const DAY = 86_400_000;
const NOW = Date.parse('2026-01-01T00:00:00Z');

const leafOf = ({ leaf }: Authority) => new X509Certificate(leaf.cert);
const authoritiesOf = ({ authorities }: Authority) => authorities.map(({ cert }) => new X509Certificate(cert));

/** Whether somebody who trusts `trusted` accepts what `shown` presents. */
const trusts = (trusted: Authority, shown: Authority): boolean =>
  authoritiesOf(trusted).some((ca) => leafOf(shown).verify(ca.publicKey) && leafOf(shown).checkIssued(ca));

test('the certificate is for the names that the API server uses, and is signed by the bundle', async (t) => {
  const made = await renew(undefined, HOSTS, NOW);
  const leaf = leafOf(made);
  t.truthy(leaf.checkHost('knative-eip-webhook.knative-eip-system.svc'));
  t.truthy(leaf.checkIP('127.0.0.1'));
  t.falsy(leaf.checkHost('example.com'));
  t.false(leaf.ca);
  t.true(trusts(made, made));
  t.is(bundleOf(made).match(/BEGIN CERTIFICATE/gu)?.length, 1);
});

test('what still serves stays as it is; a leaf is renewed in the last third of its life, and for another name', async (t) => {
  const made = await renew(undefined, HOSTS, NOW);
  t.deepEqual(await renew(made, HOSTS, NOW + 4 * DAY), made);
  const later = await renew(made, HOSTS, NOW + 5 * DAY);
  t.not(later.leaf.cert, made.leaf.cert);
  t.deepEqual(later.authorities, made.authorities);
  const renamed = await renew(made, [...HOSTS, 'other.svc'], NOW);
  t.truthy(leafOf(renamed).checkHost('other.svc'));
  t.deepEqual(await renew(made, HOSTS.slice(0, 1), NOW), made, 'a name too many does no harm');
});

test('over two years of daily looks every leaf is trusted by those who have yesterday’s bundle', async (t) => {
  let before = await renew(undefined, HOSTS, NOW);
  const signers = new Set<string>();
  for (let day = 1; day <= 730; day += 1) {
    const now = NOW + day * DAY;
    const after = await renew(before, HOSTS, now);
    t.true(trusts(before, after), `day ${day}`);
    t.true(Date.parse(leafOf(after).validTo) > now + 2 * DAY, `day ${day}`);
    t.true(after.authorities.length <= 3);
    for (const { subject } of authoritiesOf(after).slice(0, 1)) signers.add(subject);
    before = after;
  }
  t.true(signers.size >= 2 && signers.size <= 4, `${signers.size} authorities have signed`);
});

test('what has ended, or cannot be read, is made anew', async (t) => {
  const made = await renew(undefined, HOSTS, NOW);
  const late = await renew(made, HOSTS, NOW + 400 * DAY);
  t.true(trusts(late, late));
  t.false(trusts(made, late));
  const broken = await renew({ authorities: [{ cert: 'x', key: 'y' }], leaf: made.leaf }, HOSTS, NOW);
  t.true(trusts(broken, broken));
});

test('the server presents a new certificate without closing what is open', async (t) => {
  const one = await renew(undefined, HOSTS, Date.now());
  const two = await renew(undefined, HOSTS, Date.now() + 1);
  const app = new Koa();
  const server = await serveTls(
    app,
    { address: '127.0.0.1:0', key: 'webhook.address' },
    { certificate: one.leaf },
    systemClock,
  );
  const port = Number(new URL(server.url).port);
  const open = (trusted: Authority) =>
    new Promise<ReturnType<typeof connect>>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca: bundleOf(trusted) }, () => resolve(socket));
      socket.once('error', reject);
    });
  const old = await open(one);
  server.present(two.leaf);
  await t.throwsAsync(open(one), { message: /certificate|self-signed|issuer/iu });
  const fresh = await open(two);
  t.false(old.destroyed);
  old.destroy();
  fresh.destroy();
  await server.close();
});
