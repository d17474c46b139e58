import type { Context } from 'koa';

/** Answers GET and HEAD of one path. */
export type Route = (ctx: Context) => void | Promise<void>;
