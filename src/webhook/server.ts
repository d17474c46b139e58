import type { IncomingMessage } from 'node:http';
import Koa from 'koa';
import { isDeeperThan } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';

/** Takes a parsed body and gives the body of the answer. */
type Review = (body: unknown) => Promise<object>;

/**
 * An AdmissionReview carries at most two objects, which etcd keeps under 1.5 MiB each; those of pods are far smaller.
 */
export const LARGEST_BODY_BYTES = 2 * 1024 * 1024;

/**
 * How deep its objects lie in each other. Those of the kinds that are judged stay under 30, managed fields included.
 */
const DEEPEST = 64;

/** Why a request gets no review: an HTTP status and one line. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * The application behind `webhook.address`: POST of an AdmissionReview to one of `reviews`, by path. Whatever is wrong
 * with a request is answered with 4xx and one line; the API server's failurePolicy decides what that means.
 *
 * @param isUnreadable tells the errors of a review that are the sender's from those that are ours
 */
export const createReviewApp = (
  reviews: Readonly<Record<string, Review>>,
  isUnreadable: (error: unknown) => error is Error,
  log: Log,
): Koa => {
  const app = new Koa();
  app.proxy = false;
  app.on('error', (error: Error & { status?: number }) => {
    if ((error.status ?? 500) >= 500) log.warn({ error }, 'An admission review failed');
  });
  app.use(async (ctx) => {
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('Cache-Control', 'no-store');
    const review = Object.hasOwn(reviews, ctx.path) ? reviews[ctx.path] : undefined;
    try {
      if (!review) throw new Refusal(404, `there is no webhook at ${ctx.path.slice(0, 100)}`);
      if (ctx.method !== 'POST') throw new Refusal(405, 'send a POST');
      if (ctx.is('application/json') !== 'application/json') throw new Refusal(415, 'send application/json');
      const answer = await review(parse(await read(ctx.req)));
      ctx.status = 200;
      ctx.body = answer;
    } catch (error) {
      if (error instanceof Refusal) {
        ctx.status = error.status;
        if (error.status === 405) ctx.set('Allow', 'POST');
      } else if (isUnreadable(error)) ctx.status = 400;
      else throw error;
      ctx.type = 'text/plain';
      ctx.body = `${error.message}\n`;
    }
  });
  return app;
};

const read = async (request: IncomingMessage): Promise<string> => {
  const tooLarge = () => new Refusal(413, `the body is larger than ${LARGEST_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > LARGEST_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The answer to a body that is too large is still to be sent over this connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const parse = (text: string): unknown => {
  if (isDeeperThan(DEEPEST, text))
    throw new Refusal(400, `the body is nested deeper than ${DEEPEST} lists and objects`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, `not JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`);
  }
};
