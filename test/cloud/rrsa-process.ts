import { createCredentials } from '../../src/cloud/credentials.ts';
import { systemClock } from '../../src/lib/clock.ts';

/** Gets credentials from the STS of the environment variable `STS`, and prints whose they are. */
const credentials = createCredentials({ stsEndpoint: `https://${process.env['STS']}`, env: process.env }, systemClock);
const id = async () => (await credentials.get()).accessKeyId;
const first = await Promise.all(Array.from({ length: 10 }, id));
process.stdout.write(JSON.stringify({ first, second: await id(), third: await id() }));
