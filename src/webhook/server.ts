import type { IncomingMessage } from 'node:http';
import Koa from 'koa';
import { isDeeperThan } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';
import { createBodyBudget, type BodyBudget } from './body-budget.ts';

/** Takes the parsed body of a request and returns the body of the answer. */
type Review = (body: unknown) => Promise<object>;

/**
 * What an API server can send. It takes requests of up to 3 MiB (apiserver pkg/server/config.go, MaxRequestBodyBytes),
 * writes `<`, `>` and `&` of their texts as six characters each (encoding/json, HTMLEscape), and sends the object as it
 * was along with it. With a lower limit, who fills an object with `<` would get it past the webhooks.
 */
export const LARGEST_BODY_BYTES = 2 * 6 * 3 * 1024 * 1024 + 64 * 1024;
/** Together. Usual reviews have some 10 KiB, so that this is for one that is as large as can be, and many others. */
const MOST_BYTES_AT_ONCE = 64 * 1024 * 1024;

/**
 * The highest nesting of an AdmissionReview. Objects of the kinds that are reviewed stay below 30, managed fields
 * included.
 */
const DEEPEST = 64;

/** A request that gets no review, with an HTTP status and one line of text. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A body that made room for others. Its connection is closed with the answer, and the rest is not received. */
class GivenUp extends Refusal {
  constructor() {
    super(503, 'too much is being received at once');
  }
}

/**
 * The application behind `webhook.address`: POST of an AdmissionReview to one of `reviews`, by path. An invalid request
 * is answered with 4xx and one line; the API server's failurePolicy decides what follows.
 *
 * @param isUnreadable whether an error of a review was caused by the sender
 */
export const createReviewApp = (
  reviews: Readonly<Record<string, Review>>,
  isUnreadable: (error: unknown) => error is Error,
  log: Log,
): Koa => {
  const app = new Koa();
  const bodies = createBodyBudget(MOST_BYTES_AT_ONCE);
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
      const answer = await review(parse(await read(ctx.req, bodies)));
      ctx.status = 200;
      ctx.body = answer;
    } catch (error) {
      if (error instanceof Refusal) {
        ctx.status = error.status;
        if (error.status === 405) ctx.set('Allow', 'POST');
        if (error instanceof GivenUp) ctx.set('Connection', 'close');
      } else if (isUnreadable(error)) ctx.status = 400;
      else throw error;
      ctx.type = 'text/plain';
      ctx.body = `${error.message}\n`;
    }
  });
  return app;
};

const read = async (request: IncomingMessage, bodies: BodyBudget): Promise<string> => {
  const tooLarge = () => new Refusal(413, `the body is larger than ${LARGEST_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > LARGEST_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  const givenUp = Promise.withResolvers<never>();
  const body = bodies.begin(request.socket.remoteAddress ?? '', () => {
    chunks.length = 0;
    givenUp.reject(new GivenUp());
  });
  const receive = async (): Promise<string> => {
    // The connection must stay open, because the answer to a body that is too large is still to be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (body.received(chunk.length) > LARGEST_BODY_BYTES) throw tooLarge();
      if (body.isTooMuch()) break;
      chunks.push(chunk);
    }
    return body.isTooMuch() ? givenUp.promise : Buffer.concat(chunks).toString('utf8');
  };
  try {
    return await Promise.race([givenUp.promise, receive()]);
  } finally {
    body.end();
  }
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
