// Ten thousand tenants who write what they like: npm run tenants [-- --tenants N] [--seed N]
import { parseArgs } from 'node:util';
import { playTenants } from './tenants.ts';

const { values } = parseArgs({
  options: { tenants: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
});
const before = process.cpuUsage();
const { crossed, identities, leftToAddOn, counted } = await playTenants(Number(values.tenants), Number(values.seed));
const { user, system } = process.cpuUsage(before);
const found = [...crossed, ...identities, ...leftToAddOn];
for (const line of found.slice(0, 20)) process.stdout.write(`FAILED ${line}\n`);
process.stdout.write(
  `${values.tenants} tenants from seed ${values.seed}: ${found.length} crossed over; ${counted.bound} EIPs bound, ` +
    `${counted.instances} instances asked for, ${counted.withheld} of ${counted.named} keys of the add-on withheld; ` +
    `${((user + system) / 1e6).toFixed(0)} s of the processor\n`,
);
process.exitCode = found.length > 0 ? 1 : 0;
