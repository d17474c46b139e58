/**
 * Files that wait for most of their time, for a sandbox that plays in real time, a browser or other programs, the longest
 * first. They begin before all others, so that these compute while they wait, and nobody waits for them at the end.
 */
const WAITING = [
  'sandbox/demo',
  'sandbox/seeds',
  'sandbox/knative/control-plane',
  'dashboards/prometheus',
  'web/page',
  'cli/eip-command',
  'hostile/patterns',
  'sandbox/terminal',
  'sandbox/run',
  'migrate/crash',
  'kube-api/behaviour',
];

const placeOf = (file) => {
  const place = WAITING.findIndex((name) => file.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? WAITING.length : place;
};

export default {
  files: ['test/**/*.test.ts'],
  extensions: ['ts'],
  timeout: '20m',
  sortTestFiles: (one, other) => placeOf(one) - placeOf(other) || one.localeCompare(other, 'en'),
};
