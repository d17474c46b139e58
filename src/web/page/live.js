// What the server tells as it happens, and by asking where there is no stream.
/** @import { Overview, ShownAddress } from '../overview.ts' */
import { whenLanguageChanges, words } from './language.js';
import { withNews } from './news.js';

const RETRY_MS = 5_000;

/**
 * @typedef {object} Listener
 * @property {(all: readonly ShownAddress[]) => void} all
 * @property {(news: { changed: ShownAddress[], gone: string[] }) => void} changed
 * @property {(overview: Overview) => void} overview
 * @property {(state: 'live' | 'waiting', text: string) => void} link how the connection stands
 */

/**
 * Tells of everything, and of what changes, until the page is gone.
 *
 * @param {Listener} listener
 */
export const follow = (listener) => {
  /** How the connection stands, in the language of the moment. */
  let standing = { state: /** @type {'live' | 'waiting'} */ ('waiting'), text: () => words().connecting };
  const tell = () => listener.link(standing.state, standing.text());
  /** @param {'live' | 'waiting'} state @param {() => string} text */
  const link = (state, text) => {
    standing = { state, text };
    tell();
  };

  /** Loads the data once, while there is no stream. */
  const ask = async () => {
    try {
      const [all, overview] = await Promise.all(
        ['api/addresses', 'api/overview'].map(async (path) => {
          const answer = await fetch(path);
          if (!answer.ok) throw new Error(String(answer.status));
          return answer.json();
        }),
      );
      listener.overview(overview);
      listener.all(all);
      link('live', () => words().polling(RETRY_MS / 1000));
    } catch {
      link('waiting', () => words().noAnswer);
    }
  };

  /** The last that the stream told. @type {Overview | undefined} */
  let known;
  /** @param {Overview} overview */
  const know = (overview) => {
    known = overview;
    listener.overview(overview);
  };

  /** @type {EventSource | undefined} */
  let source;
  let retry = 0;

  const listen = () => {
    clearTimeout(retry);
    source?.close();
    const stream = new EventSource('api/stream');
    source = stream;
    stream.addEventListener('all', ({ data }) => {
      listener.all(JSON.parse(data));
      link('live', () => words().live);
    });
    stream.addEventListener('changed', ({ data }) => listener.changed(JSON.parse(data)));
    stream.addEventListener('overview', ({ data }) => know(JSON.parse(data)));
    stream.addEventListener('news', ({ data }) => known && know(withNews(known, JSON.parse(data))));
    stream.addEventListener('error', () => {
      link('waiting', () => words().reconnecting);
      if (stream.readyState !== EventSource.CLOSED) return;
      void ask();
      retry = setTimeout(listen, RETRY_MS);
    });
  };

  // Browsers open at most six connections to a server. Hidden pages give theirs up, so that a visible one gets one.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') return listen();
    clearTimeout(retry);
    source?.close();
    link('waiting', () => words().paused);
  });
  whenLanguageChanges(tell);
  tell();
  listen();
};
