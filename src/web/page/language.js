// Which language the page speaks, and the texts that are always there.
import { isLanguage, languageOf, NAMES, WORDS } from './words.js';

const CHOICE = 'knative-eip language';
const choice = /** @type {HTMLSelectElement} */ (document.getElementById('language'));

let language = languageOf(localStorage.getItem(CHOICE), navigator.languages);

/** The words of the language of now. */
export const words = () => WORDS[language];

/** How its numbers and times are written: as the browser is set, where that is of the language. */
export const locale = () => navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;

/** @param {string} key */
const textOf = (key) => {
  const word = /** @type {Readonly<Record<string, unknown>>} */ (words())[key];
  if (typeof word !== 'string') throw new Error(`the page has no word ${key}`);
  return word;
};

/** Writes the texts of the elements that name one, and of their attributes. */
const write = () => {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : language;
  document.title = words().title;
  for (const it of document.querySelectorAll('[data-word]'))
    it.textContent = textOf(it.getAttribute('data-word') ?? '');
  for (const [attribute, name] of [
    ['data-label-word', 'aria-label'],
    ['data-hint-word', 'placeholder'],
  ])
    for (const it of document.querySelectorAll(`[${attribute}]`))
      it.setAttribute(name ?? '', textOf(it.getAttribute(attribute ?? '') ?? ''));
};

/** Calls back when the user has chosen another language. @param {() => void} changed */
export const whenLanguageChanges = (changed) =>
  choice.addEventListener('input', () => {
    if (!isLanguage(choice.value)) return;
    language = choice.value;
    localStorage.setItem(CHOICE, language);
    write();
    changed();
  });

for (const [value, name] of Object.entries(NAMES)) choice.append(new Option(name, value));
choice.value = language;
write();
