import type { Route } from './route.ts';

/** The metrics as text, and the media type of its format. */
export type Exposition = () => Promise<{ readonly contentType: string; readonly body: string }>;

/** `/metrics`. */
export const metricsRoute =
  (exposition: Exposition): Route =>
  async (ctx) => {
    const { contentType, body } = await exposition();
    ctx.set('Content-Type', contentType);
    ctx.body = body;
  };
