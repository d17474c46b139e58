import test from 'ava';
import type { WorkloadContainer } from '../../../src/virtualnode/workload-pod.ts';
import { app, podOf, ran } from './pods.ts';

const headers = (...names: string[]) => names.map((name) => ({ name, value: 'planted' }));
const get = (...names: string[]) => ({ path: '/up', port: 'web', httpHeaders: headers(...names) });
const ports = [{ name: 'web', containerPort: 8080 }];
const AT = 'spec.containers[app]';

const rows: readonly (readonly [title: string, written: Partial<WorkloadContainer>, made: object, notes: RegExp[]])[] =
  [
    [
      'gRPC',
      {
        readinessProbe: { grpc: { port: 9 }, periodSeconds: 7 },
        livenessProbe: { grpc: { port: 9, service: 'shop' }, failureThreshold: 2 },
      },
      {
        readinessProbe: { tcpSocket: { port: 9 }, periodSeconds: 7 },
        livenessProbe: { tcpSocket: { port: 9 }, failureThreshold: 2 },
      },
      [
        /readinessProbe\.grpc: ECI has no gRPC probes; the container counts as ready when port 9 accepts .*its health is/,
        /livenessProbe\.grpc: .*restarted only when port 9 accepts no connections, and not when it hangs.*service shop is/,
      ],
    ],
    [
      'gRPC at the start',
      { startupProbe: { grpc: { port: 9 }, failureThreshold: 30 } },
      { readinessProbe: { tcpSocket: { port: 9 }, failureThreshold: 30, initialDelaySeconds: 0 } },
      [/startupProbe: ECI has no startup probes/, /readinessProbe\.grpc: ECI has no gRPC probes/],
    ],
    [
      'headers that a server may want to see',
      { readinessProbe: { httpGet: get('Accept', 'Host') }, livenessProbe: { httpGet: get('Authorization') } },
      { readinessProbe: { tcpSocket: { port: 8080 } }, livenessProbe: { tcpSocket: { port: 8080 } } },
      [
        /readinessProbe\.httpGet\.httpHeaders: .*no headers \(Accept, Host\); .*ready when port web accepts/,
        /livenessProbe\.httpGet\.httpHeaders: .*\(Authorization\); .*restarted only when port web accepts no/,
      ],
    ],
    [
      'headers without consequence',
      { livenessProbe: { httpGet: get('User-Agent', 'ACCEPT'), timeoutSeconds: 3 } },
      { livenessProbe: { httpGet: { path: '/up', port: 8080, scheme: 'HTTP' }, timeoutSeconds: 3 } },
      [/livenessProbe\.httpGet\.httpHeaders: .*\(User-Agent, ACCEPT\); the probe is made without them/],
    ],
    ['no headers', { livenessProbe: { httpGet: get() } }, { livenessProbe: { httpGet: { port: 8080 } } }, []],
  ];

for (const [title, written, made, expected] of rows)
  test(`of a probe that ECI cannot make what is left runs, and is said: ${title}`, (t) => {
    const { spec, notes } = ran(podOf({ containers: [app({ ...written, ports })] }));
    t.like(spec.containers[0], made);
    const said = notes.map(({ field, problem, remedy }) => `${field}: ${problem}; ${remedy}`);
    t.is(said.length, expected.length, said.join('\n'));
    for (const [index, words] of expected.entries()) {
      t.true(said[index]?.startsWith(AT), said[index]);
      t.regex(said[index] ?? '', words);
    }
    // A value may be a credential.
    t.false(JSON.stringify({ spec, said }).includes('planted'));
  });
