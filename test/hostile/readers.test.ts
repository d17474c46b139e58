import test from 'ava';
import { ALL_DRIVES, rowOf } from './all-drives.ts';
import { readersIn, sources } from './source.ts';

/** No pattern is given more of somebody's text than this, characters: who reads it has looked at its length before. */
const LONGEST = 16 * 1024;
/** What is given: long texts, and some that readers take. */
const SOME = [...['1', 'a', '{"a":', '$(', 'secret='].map((atom) => rowOf(atom)), '1', '{}', 'a'.repeat(20)];

/**
 * Folders whose texts nobody but the operator, or the person at the keyboard, writes. Their patterns are linear
 * all the same.
 */
const TRUSTED: readonly (readonly [RegExp, string])[] = [
  [/^src\/config\//, 'the configuration, which the operator writes'],
  [/^src\/cli\//, 'the command line of whoever starts it'],
  [/^src\/sandbox\//, 'the sandbox, on the machine of its user'],
  [/^src\/probe\//, 'the account of whoever probes it, and what he writes on the command line'],
  [/^src\/web\/page\//, 'the page, in the browser of its user'],
];

const isTrusted = (at: string): boolean => TRUSTED.some(([folder]) => folder.test(at));

/** Readers outside of these that no drive reaches, and why they need none. */
const NOT_DRIVEN: Readonly<Record<string, string>> = {
  'src/manifest/documents.ts parse': 'driven as manifests in YAML: only calls of JSON.parse are seen',
  'src/bin.js parse': 'the version of Node',
  'src/cloud/reach.ts parse': 'a header: Node takes 16 KiB of them',
  'src/doctor/reader/bundle.ts parse': 'the configuration; and a log, of which the API server is asked for a megabyte',
  'src/doctor/reader/read-addresses.ts parse': 'a time that the API server has checked',
  'src/doctor/reader/read-cluster.ts parse': 'the version of the API server, and a header of its',
  'src/doctor/reader/read-installation.ts parse':
    'times that the API server has checked, and our words on the configuration',
  'src/kube/connect.ts parse': 'lines of an answer of the API server, as they come: split once each',
  'src/kube/exec-plugin.ts parse': 'what the plug-in of whoever starts it prints, a megabyte at most',
  'src/kube/kubeconfig.ts parse': 'the kubeconfig of whoever starts it',
  'src/kube/oidc.ts parse': 'the kubeconfig of whoever starts it',
  'src/manager/settings.ts parse': 'the configuration',
  'src/virtualnode/logs.ts parse': 'the path of a request: Node takes 16 KiB of it',
  'src/virtualnode/streaming/spdy-dictionary.ts parse': 'words of the product',
  'src/virtualnode/streaming/stream-request.ts parse': 'the path and headers of a request: Node takes 16 KiB of each',
  'src/virtualnode/translate/queue-proxy-env.ts parse': 'what it has written itself, 256 characters at most',
  [String.raw`src/cloud/alicloud/codes.ts ^(?:InvalidAccessKeyId|InvalidSecurityToken|MissingSecurityToken|SignatureDoesNotMatch)`]:
    'a code, of which plainCode has taken 128 characters at most',
  [String.raw`src/cloud/alicloud/endpoint.ts ^(?:(https?):\/\/)?((?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?)\/?$`]:
    'an endpoint of the configuration',
  [String.raw`src/kube/kubeconfig.ts \/$`]: 'the kubeconfig of whoever starts it',
  [String.raw`src/kube/kubeconfig.ts ^https?:`]: 'the kubeconfig of whoever starts it',
  [String.raw`src/kube/kubeconfig.ts [.:]$`]: 'the kubeconfig of whoever starts it',
  [String.raw`src/kube/authorizer.ts ^Bearer +([\x21-\x7e]+)$`]: 'a header: Node takes 16 KiB of them',
  [String.raw`src/web/connections.ts ^::ffff:`]: 'the address of a socket',
  [String.raw`src/web/page.ts ^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$`]: 'a header: Node takes 16 KiB of them',
};

/**
 * Whether a pattern reads no more than a certain number of characters by itself: it begins at the beginning and repeats
 * nothing without end.
 */
const isBounded = (source: string, flags: string): boolean => {
  if (/[gm]/.test(flags)) return false;
  const bare = source.replaceAll(/\\./g, 'x').replaceAll(/\[[^\]]*\]/g, 'x');
  if (/[*+]|\{\d+,\}/.test(bare)) return false;
  let depth = 0;
  let begins = true;
  for (const [at, character] of Array.from(bare).entries()) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    const isStart = at === 0 || (depth === 0 && bare[at - 1] === '|');
    if (isStart && character !== '^') begins = false;
  }
  return begins;
};

test('whether a pattern is bounded by itself is told from how it is written', (t) => {
  for (const source of ['^a{1,5}$', '^(?:a|b)c?', '^a|^b', String.raw`^\+[*]{1,3}`])
    t.true(isBounded(source, ''), source);
  for (const source of ['a', '^a*', '^a|b', '^a{2,}', '^(a|b)+']) t.false(isBounded(source, ''), source);
});

test.serial(
  'every reader of the product is driven, and looks at the length of a text before any pattern does',
  async (t) => {
    const { patterns, parses } = readersIn(sources());
    const longest = new Map<string, number>();
    const parsed = new Set<string>();
    const exec = Object.getOwnPropertyDescriptor(RegExp.prototype, 'exec')?.value as typeof RegExp.prototype.exec;
    const { parse } = JSON;
    const { parse: parseDate } = Date;
    const split = Object.getOwnPropertyDescriptor(String.prototype, 'split')?.value as typeof String.prototype.split;
    // Whatever a pattern is used for, test, replace or split, it goes through this one.
    const setExec = (value: typeof exec) =>
      // eslint-disable-next-line no-extend-native -- it is put back
      void Object.defineProperty(RegExp.prototype, 'exec', { value, writable: true, configurable: true });
    const setSplit = (value: typeof split) =>
      // eslint-disable-next-line no-extend-native -- it is put back
      void Object.defineProperty(String.prototype, 'split', { value, writable: true, configurable: true });
    const noteSite = (): void => {
      const stack = new Error('where').stack ?? '';
      for (const [, file, line] of stack.matchAll(/\/(src\/[\w./-]+\.ts):(\d+)/g))
        parsed.add(`${file ?? ''}:${line ?? ''}`);
    };
    setSplit(function splitSeen(this: string, ...given: Parameters<typeof split>) {
      noteSite();
      return split.apply(this, given);
    } as typeof split);
    Date.parse = (text) => {
      noteSite();
      return parseDate(text);
    };
    setExec(function execSeen(this: RegExp, text) {
      longest.set(this.source, Math.max(longest.get(this.source) ?? -1, text.length));
      return exec.call(this, text);
    });
    JSON.parse = (text: string, reviver?: Parameters<typeof parse>[1]) => {
      noteSite();
      return parse(text, reviver) as unknown;
    };
    try {
      for (const drive of Object.values(ALL_DRIVES)) for (const row of SOME) await drive(row);
    } finally {
      setExec(exec);
      JSON.parse = parse;
      Date.parse = parseDate;
      setSplit(split);
    }
    const used = new Set<string>();
    const isExcused = (at: string, source: string) => {
      const key = `${at.replace(/:\d+$/, '')} ${source}`;
      if (NOT_DRIVEN[key] === undefined) return false;
      used.add(key);
      return true;
    };
    const outside = patterns.filter(({ at }) => !isTrusted(at));
    t.true(outside.length > 60, 'the patterns are found');
    const unread = outside.filter(({ source, at }) => !longest.has(source) && !isExcused(at, source));
    t.deepEqual(
      unread.map(({ source, at }) => `${at} ${source}`),
      [],
      'patterns that no drive reaches: add one to drives.ts',
    );
    const unparsed = parses.filter((at) => !isTrusted(at) && !parsed.has(at) && !isExcused(at, 'parse'));
    t.deepEqual(unparsed, [], 'parsers that no drive reaches: add one to drives.ts');
    const unlimited = outside.filter(
      ({ source, flags, at }) =>
        (longest.get(source) ?? 0) > LONGEST && !isBounded(source, flags) && !isExcused(at, source),
    );
    t.deepEqual(
      unlimited.map(({ source, at }) => `${at} ${source} was given ${longest.get(source) ?? 0} characters`),
      [],
      'patterns that are given a text of any length: look at its length before',
    );
    t.deepEqual(
      Object.keys(NOT_DRIVEN).filter((key) => !used.has(key)),
      [],
      'excuses that nothing needs',
    );
  },
);
