import test from 'ava';
import { playTenants } from './tenants.ts';

test('of a hundred and fifty tenants none gets another’s EIP, or an identity that is not his (npm run tenants plays ten thousand)', async (t) => {
  const { crossed, identities, leftToAddOn, counted } = await playTenants(150, 14);
  t.log(counted);
  t.deepEqual([...crossed, ...identities, ...leftToAddOn], []);
  t.true(
    counted.bound > 100 && counted.instances > 10 && counted.named > 10 && counted.withheld > 3,
    JSON.stringify(counted),
  );
});
