import { checkOf, listed, whenAny, type Check } from './check.ts';
import type { SettingsFact, WebhookFact } from './facts.ts';

const DAY_MS = 86_400_000;
/** The controller replaces an authority 60 days before its end; one that is nearer to it was not replaced. */
const SOON_MS = 30 * DAY_MS;

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const labelOf = ({ kind, name }: WebhookFact): string => `${name} (${kind})`;

/** Whether they are to be served. What is not known, because nobody could read it, is taken for yes. */
const areWanted = (settings: SettingsFact | undefined): boolean => settings?.hasWebhooks !== false;

const again =
  'the controller writes it again within a minute while it runs with the rights of config/webhook; look at its log';

export const WEBHOOK_CHECKS = {
  'webhooks-not-installed': checkOf({
    area: 'webhooks',
    severity: 'warning',
    what: '`webhook.enabled` is true, and the API server is not told to call the webhooks.',
    mend: '`kubectl apply -k config/webhook`, or set `webhook.enabled: false`.',
    needs: ['configuration', 'webhooks'],
    find: ({ configuration, webhooks }) =>
      configuration?.settings?.hasWebhooks === true && webhooks.length === 0
        ? [
            {
              problem: 'nobody calls the webhooks: no pod is prepared, and contradictions are let in',
              evidence: `webhook.enabled is true, and there is no configuration ${configuration.settings.webhookConfiguration}`,
              remedy: 'kubectl apply -k config/webhook, or set webhook.enabled: false',
            },
          ]
        : [],
  }),
  'webhooks-not-served': checkOf({
    area: 'webhooks',
    severity: 'error',
    what: 'The API server is told to call webhooks that are not served, because `webhook.enabled` is false.',
    mend: 'Set `webhook.enabled: true`, or `kubectl delete -k config/webhook`.',
    needs: ['configuration', 'webhooks'],
    find: ({ configuration, webhooks }) =>
      configuration?.settings?.hasWebhooks === false && webhooks.length > 0
        ? [
            {
              problem:
                'the API server is told to call webhooks that are not served: no pod is prepared, nothing is refused',
              evidence: `webhook.enabled is false, and there are ${listed([...new Set(webhooks.map(({ kind }) => kind))])}`,
              remedy:
                'set webhook.enabled: true (Helm values of ack-extend-network-controller do not have it), or kubectl delete -k config/webhook',
            },
          ]
        : [],
  }),
  'webhook-not-answering': checkOf({
    area: 'webhooks',
    severity: 'error',
    what: 'A pod that contradicts itself is let in, in a dry run: the API server does not reach the webhooks, or does not trust them.',
    mend: 'The Service, a NetworkPolicy or security group between the API server and port 9443, or the caBundle.',
    needs: ['configuration', 'webhooks', 'webhookAnswer'],
    find: ({ configuration, webhooks, webhookAnswer: answer }) => {
      if (!answer || webhooks.length === 0 || !areWanted(configuration?.settings)) return [];
      const isRight =
        answer.outcome === 'refused' ||
        (answer.outcome === 'warned' && configuration?.settings?.refusesConflicts === false);
      // Their authority is wrong, which says more.
      if (isRight || webhooks.some(isUntrusted)) return [];
      return [
        {
          problem: 'the webhooks do not answer the API server, so that no pod is prepared and nothing is refused',
          evidence:
            answer.outcome === 'failed'
              ? `a dry run: ${answer.message}`
              : 'a pod with eip-bandwidth: "none" was let in (dry run), because failurePolicy is Ignore',
          remedy:
            'look whether the Service of the webhooks has endpoints, and whether a NetworkPolicy, a security group or the configuration of the API server keeps it from port 9443',
        },
      ];
    },
  }),
  'webhook-bundle-missing': checkOf({
    area: 'webhooks',
    severity: 'error',
    what: 'A webhook has no caBundle, or one that is no certificate.',
    mend: 'The controller writes it; with cert-manager, its annotation `cert-manager.io/inject-ca-from` does.',
    needs: ['webhooks'],
    find: ({ webhooks }) =>
      whenAny(
        webhooks.filter(({ problem }) => problem !== undefined),
        (bad) => ({
          problem: 'the API server cannot verify the webhooks: their caBundle is empty or no certificate',
          evidence: `${listed(bad.map(labelOf))}: ${bad[0]?.problem ?? ''}`,
          remedy: again,
        }),
      ),
  }),
  'webhook-bundle-wrong': checkOf({
    area: 'webhooks',
    severity: 'error',
    what: 'A webhook’s caBundle is not the authority that the replicas share in their Secret.',
    mend: 'Look who else writes it (an older manifest, a GitOps tool); the controller puts it right within a minute.',
    needs: ['configuration', 'webhooks', 'webhookSecret'],
    find: ({ configuration, webhooks, webhookSecret }) => {
      if (!webhookSecret || configuration?.settings?.makesCertificate === false) return [];
      const wrong = webhooks.filter(
        ({ authorities }) =>
          authorities.length > 0 &&
          !authorities.some(({ fingerprint }) => webhookSecret.fingerprints.includes(fingerprint)),
      );
      return whenAny(wrong, (bad) => ({
        problem: 'the API server trusts another authority than that of the webhooks’ certificate',
        evidence: `caBundle of ${listed(bad.map(labelOf))}: SHA-256 ${bad[0]?.authorities[0]?.fingerprint.slice(0, 23) ?? ''}…`,
        remedy: `${again}; and look whether a GitOps tool writes an old caBundle`,
      }));
    },
  }),
  'webhook-bundle-expired': checkOf({
    area: 'webhooks',
    severity: 'error',
    what: 'All certificates in a webhook’s caBundle have ended, or have not begun.',
    mend: 'The controller renews it 60 days before; its log says what keeps it from that.',
    needs: ['webhooks'],
    find: ({ webhooks }, { at }) =>
      whenAny(webhooks.filter(isExpired(at)), (bad) => ({
        problem: 'the authority that the API server verifies the webhooks with is not valid now',
        evidence: `caBundle of ${listed(bad.map(labelOf))}: ${bad[0]?.authorities.map(({ from, until }) => `${day(from)} to ${day(until)}`).join(', ') ?? ''}`,
        remedy: `compare the clocks, and ${again}`,
      })),
  }),
  'webhook-bundle-expires': checkOf({
    area: 'webhooks',
    severity: 'warning',
    what: 'The last certificate in a webhook’s caBundle ends within 30 days, and nobody has replaced it.',
    mend: 'The controller does so 60 days before; its log says what keeps it from that. With cert-manager, look at its Certificate.',
    needs: ['webhooks'],
    find: ({ webhooks }, { at }) =>
      whenAny(
        webhooks.filter((each) => !isExpired(at)(each) && isExpired(at + SOON_MS)(each)),
        (bad) => ({
          problem: 'the authority of the webhooks ends soon and was not replaced',
          evidence: `caBundle of ${listed(bad.map(labelOf))} until ${day(Math.max(0, ...(bad[0]?.authorities.map(({ until }) => until) ?? [])))}`,
          remedy: 'look at the log of the controller, or, with cert-manager, at its Certificate',
        }),
      ),
  }),
  'webhook-failure-policy': checkOf({
    area: 'webhooks',
    severity: 'warning',
    what: '`failurePolicy: Fail` where nothing could be replaced or scaled while the controller is down: of pods and of scale.',
    mend: 'Write `Ignore` for them: the controller applies the same rules, and buys nothing for what it refuses.',
    needs: ['webhooks'],
    find: ({ webhooks }) =>
      whenAny(
        webhooks.filter(({ name, failurePolicy }) => failurePolicy === 'Fail' && /^(?:pods|scale)\./u.test(name)),
        (bad) => ({
          problem:
            'while the controller is down, pods cannot be made or nothing can be scaled, the controller itself included',
          evidence: `failurePolicy of ${listed(bad.map(labelOf))} is Fail`,
          remedy: 'write failurePolicy: Ignore, as config/webhook has it',
        }),
      ),
  }),
} as const satisfies Readonly<Record<string, Check>>;

/** Whether no certificate of it is valid then. */
const isExpired =
  (at: number) =>
  ({ authorities }: WebhookFact): boolean =>
    authorities.length > 0 && authorities.every(({ from, until }) => at < from || at >= until);

/** Its caBundle alone says that it cannot be verified. */
const isUntrusted = ({ problem }: WebhookFact): boolean => problem !== undefined;
