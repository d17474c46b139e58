import { readFileSync } from 'node:fs';
import test from 'ava';
import { languageOf, NAMES, WORDS } from '../../src/web/page/words.js';

type Word = string | ((...values: never[]) => string);

const english = WORDS.en as Readonly<Record<string, Word>>;
const html = readFileSync(new URL('../../src/web/page/page.html', import.meta.url), 'utf8');

/** A word with a value of each kind that one is made of. */
const spoken = (word: Word): string => {
  if (typeof word === 'string') return word;
  const made = word as (...values: unknown[]) => string;
  return word.length === 1 && word.toString().startsWith('({')
    ? made({ cluster: 'a', region: 'b', version: 'c' })
    : made(2, 3, 'configured');
};

for (const [language, words] of Object.entries(WORDS))
  test(`no word of the status page lacks ${language}`, (t) => {
    const all = words as Readonly<Record<string, Word>>;
    t.true(Object.hasOwn(NAMES, language));
    t.deepEqual(Object.keys(all).toSorted(), Object.keys(english).toSorted());
    for (const [key, word] of Object.entries(all)) {
      t.is(typeof word, typeof english[key], key);
      t.not(spoken(word).trim(), '', key);
      t.false(spoken(word).includes('undefined'), `${key}: ${spoken(word)}`);
    }
  });

test('what is Chinese is said in Chinese', (t) => {
  for (const [key, word] of Object.entries(WORDS.zh as Readonly<Record<string, Word>>))
    t.regex(spoken(word), /\p{Script=Han}/u, key);
});

test('every word that the page names is there, and none stands in the page itself', (t) => {
  const named = [...html.matchAll(/data-(?:word|label-word|hint-word)="([^"]+)"/gu)].map(([, key = '']) => key);
  t.true(named.length > 40);
  for (const key of named) t.is(typeof english[key], 'string', key);
  const texts = html
    .replaceAll(/<noscript[\s\S]*?<\/noscript\s*>|<!doctype html>/gu, '')
    .replaceAll(/<[^>]*>/gu, '\n')
    .split('\n')
    .map((line) => line.trim());
  // Names, which are the same everywhere, and a unit.
  t.deepEqual([...new Set(texts)].toSorted(), ['', 'Mbit/s', 'knative-eip']);
});

test('each word is used', (t) => {
  const scripts = ['page.js', 'rows.js', 'live.js', 'language.js']
    .map((name) => readFileSync(new URL(`../../src/web/page/${name}`, import.meta.url), 'utf8'))
    .join('\n');
  const isUsed = (key: string) =>
    html.includes(`="${key}"`) || new RegExp(`(words\\(\\)|say)\\??\\.${key}\\b`, 'u').test(scripts);
  const states = ['inUse', 'waiting', 'attention', 'kept', 'goingBack'];
  t.deepEqual(
    Object.keys(english).filter((key) => !states.includes(key) && !isUsed(key)),
    [],
  );
});

test('the language is the one that was chosen, or the first of the browser that there is', (t) => {
  t.is(languageOf(null, ['zh-TW', 'en']), 'zh');
  t.is(languageOf(null, ['de-DE', 'zh-CN', 'en']), 'zh');
  t.is(languageOf(null, ['fr', 'en-GB', 'zh']), 'en');
  t.is(languageOf(null, ['fr']), 'en');
  t.is(languageOf('en', ['zh-CN']), 'en');
  t.is(languageOf('zh', ['en']), 'zh');
  t.is(languageOf('toString', ['zh']), 'zh');
});
