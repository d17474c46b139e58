// What the page is steered by, whatever it shows: tabs and theme.

/** The tabs of the views, in their order. @type {HTMLElement[]} */
export const tabs = [...document.querySelectorAll('[role=tab]')].filter((tab) => tab instanceof HTMLElement);
/**
 * Shows the view of a tab.
 *
 * @param {HTMLElement} chosen
 */
export const select = (chosen) => {
  for (const tab of tabs) {
    tab.setAttribute('aria-selected', String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute('aria-controls') ?? '')?.toggleAttribute('hidden', tab !== chosen);
  }
};

/**
 * Calls back when the user has chosen a tab.
 *
 * @param {() => void} chosen
 */
export const whenChosen = (chosen) => {
  tabs.forEach((tab, index) => {
    tab.addEventListener('click', () => {
      select(tab);
      chosen();
    });
    // WAI-ARIA Authoring Practices, "Tabs".
    tab.addEventListener('keydown', (event) => {
      const steps = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 };
      const next = /** @type {Record<string, number>} */ (steps)[event.key];
      const to = next === undefined ? undefined : tabs.at(next % tabs.length);
      if (!to) return;
      event.preventDefault();
      select(to);
      to.focus();
      chosen();
    });
  });
};

const theme = /** @type {HTMLSelectElement} */ (document.getElementById('theme'));
const THEME = 'knative-eip theme';
const showTheme = () => {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
};
theme.addEventListener('input', () => {
  localStorage.setItem(THEME, theme.value);
  showTheme();
});
theme.value = localStorage.getItem(THEME) ?? 'system';
if (!theme.value) theme.value = 'system';
showTheme();
