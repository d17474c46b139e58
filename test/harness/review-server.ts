import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { scriptedServer } from './scripted-server.ts';

/** What an API server asks about. */
export type ReviewRequest = Readonly<Record<string, unknown>> & { readonly uid: string };

/** A webhook that answers reviews as the test says; `path` is without the leading slash. */
export const reviewServer = async (
  /** AdmissionReview's response without the uid; `gone`: the connection is broken. */
  answer: (path: string, request: ReviewRequest) => object | 'gone',
) => {
  const authority = await renew(undefined, ['127.0.0.1'], Date.now());
  const server = await scriptedServer(({ path, body, json, hangUp }) => {
    const review = JSON.parse(body) as { request: ReviewRequest };
    const response = answer(path.slice(1), review.request);
    if (response === 'gone') hangUp();
    else json(200, { ...review, response: { uid: review.request.uid, ...response } });
  }, authority.leaf);
  return {
    /** For a webhook configuration. */
    clientConfig: (path: string) => ({
      url: `${server.url}/${path}`,
      caBundle: Buffer.from(bundleOf(authority)).toString('base64'),
    }),
    close: server.close,
  };
};
