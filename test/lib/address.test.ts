import test from 'ava';
import { parseEndpoint, parseHostPort } from '../../src/lib/address.ts';

test('host:port is read, IPv6 in brackets', (t) => {
  t.deepEqual(parseHostPort('0.0.0.0:8080'), { host: '0.0.0.0', port: 8080 });
  t.deepEqual(parseHostPort('localhost:0'), { host: 'localhost', port: 0 });
  t.deepEqual(parseHostPort('[::1]:80'), { host: '::1', port: 80 });
});

for (const text of [
  '',
  ':80',
  'a',
  'a:',
  'a:65536',
  'a:-1',
  'a:8o',
  '::1:80',
  '[::g]:80',
  '[a]:80',
  'a b:80',
  '-a:80',
  'a..b:80',
  `${'a.'.repeat(127)}a:80`,
  'a:80\n',
])
  test(`this is no host:port: ${JSON.stringify(text.slice(0, 20))}`, (t) => {
    t.is(parseHostPort(text), undefined);
  });

test('an endpoint is a host with or without port and protocol; https unless it says http', (t) => {
  t.deepEqual(parseEndpoint('vpc.aliyuncs.com'), { protocol: 'https', host: 'vpc.aliyuncs.com', port: undefined });
  t.deepEqual(parseEndpoint('https://vpc.aliyuncs.com:8443'), {
    protocol: 'https',
    host: 'vpc.aliyuncs.com',
    port: 8443,
  });
  t.deepEqual(parseEndpoint('http://127.0.0.1:80'), { protocol: 'http', host: '127.0.0.1', port: 80 });
  t.deepEqual(parseEndpoint('http://[::1]:80'), { protocol: 'http', host: '::1', port: 80 });
});

for (const text of [
  '',
  'https://',
  'ftp://a',
  'https://a/',
  'https://a/b',
  'https://u:p@a',
  'u@a',
  'a?b',
  'a#b',
  'a:0',
  'HTTPS://a',
  'https://https://a',
  'a\nb',
])
  test(`this is no endpoint: ${JSON.stringify(text)}`, (t) => {
    t.is(parseEndpoint(text), undefined);
  });
