import type { Admission, AdmissionCall, Validation } from './admission.ts';
import { isObject, objectOf, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import { jsonPatch } from './patch.ts';
import { ApiError, badRequest } from './failure-status.ts';
import { call, type WebhookAnswer, type Reached } from './webhook-call.ts';
import { matching, type Configured } from './webhook-matching.ts';

/** What calling webhooks takes. */
export type WebhookWorld = Configured & Reached;

/** What an API server never asks about, so that nobody locks themselves out. */
const isExempt = ({ kind }: AdmissionCall): boolean => kind.group === 'admissionregistration.k8s.io';

/**
 * The admission plugin MutatingAdmissionWebhook: one webhook after the other. Source: kubernetes/kubernetes
 * staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/mutating. Here matchConditions are not evaluated, for they
 * are CEL: webhooks are asked about more than they would be, and must let through what does not concern them. There is
 * no reinvocation either.
 */
export const mutatingWebhooks =
  (world: WebhookWorld): Admission =>
  async (request) => {
    let { object } = request;
    if (isExempt(request)) return object;
    for (const webhook of matching(world, 'mutatingwebhookconfigurations', request)) {
      const answer = await ask(world, webhook, { ...request, object });
      if (!answer) continue;
      refuse(webhook, answer);
      if (answer.patch !== undefined && object) object = jsonPatch(object, answer.patch) as ApiObject;
    }
    return object;
  };

/** The admission plugin ValidatingAdmissionWebhook: all are asked, at once, and the first refusal counts. */
export const validatingWebhooks =
  (world: WebhookWorld): Validation =>
  async (request) => {
    if (isExempt(request)) return;
    const all = matching(world, 'validatingwebhookconfigurations', request);
    const asked = await Promise.allSettled(
      all.map(async (webhook) => {
        const answer = await ask(world, webhook, request);
        if (answer) refuse(webhook, answer);
      }),
    );
    for (const one of asked) if (one.status === 'rejected') throw one.reason;
  };

const ask = async (
  world: WebhookWorld,
  webhook: JsonObject,
  request: AdmissionCall,
): Promise<WebhookAnswer | undefined> => {
  if (request.dryRun && !['None', 'NoneOnDryRun'].includes(stringOf(webhook['sideEffects'])))
    throw badRequest(`admission webhook "${stringOf(webhook['name'])}" does not support dry run`);
  const answer = await call(world, webhook, request);
  for (const text of answer?.warnings ?? []) request.warn(text);
  return answer;
};

/** Source of code, reason and wording: apiserver pkg/admission/plugin/webhook/errors ToStatusErr. */
const refuse = (webhook: JsonObject, { allowed, status }: WebhookAnswer): void => {
  if (allowed) return;
  const why = stringOf(status['message']) || stringOf(status['reason']);
  const code = typeof status['code'] === 'number' ? Math.max(status['code'], 400) : 400;
  throw new ApiError(
    code,
    stringOf(status['reason']),
    `admission webhook "${stringOf(webhook['name'])}" denied the request${why === '' ? ' without explanation' : `: ${why}`}`,
    isObject(status['details']) ? status['details'] : undefined,
  ).withMetadata(objectOf(status['metadata']));
};
