import type { Clock } from '../../lib/clock.ts';
import { CLOUD_ACTIONS, type CloudAction } from '../api-actions.ts';
import type { Credentials } from '../credentials.ts';
import { CALL_TIMEOUT_MS, callWithDeadline } from '../call-deadline.ts';
import { CloudFault } from '../fault.ts';
import { NO_ANSWER, type NamedAnswer, type NamedProduct } from '../named-answer.ts';
import type { Clients } from './clients.ts';
import { kindOfAnswer } from './codes.ts';
import { plainCode, plainRequestId, redact } from './redact.ts';

interface NamedCallSettings {
  readonly clock: Clock;
  readonly clients: Pick<Clients, 'named'>;
  readonly credentials?: Credentials | undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const isKnown = (action: string, code: string, status: number): boolean => {
  const ours = CLOUD_ACTIONS.find((name) => name === action);
  return ours === undefined || kindOfAnswer(ours satisfies CloudAction, code, status).mapped;
};

/**
 * Calls by name that are answered with what came, not with a fault: for asking the cloud what it is like. Rejects with
 * a CloudFault where nothing could be sent, for want of credentials.
 */
export const namedCalls =
  ({ clock, clients, credentials }: NamedCallSettings) =>
  async (product: NamedProduct, action: string, query: Readonly<Record<string, string>>): Promise<NamedAnswer> => {
    const [call] = await Promise.all([clients.named[product](), credentials?.get()]);
    const began = clock.mono();
    const ms = () => Math.round(clock.mono() - began);
    try {
      const answer = await callWithDeadline(clock, CALL_TIMEOUT_MS, () => call(action, query));
      const body = isRecord(answer) ? answer['body'] : undefined;
      const requestId = isRecord(body) ? plainRequestId(body['RequestId']) : undefined;
      return { code: 'OK', status: 200, requestId, ms: ms(), known: true, message: '', body };
    } catch (error) {
      if (error instanceof CloudFault) throw error;
      const fields = isRecord(error) ? error : {};
      const data = isRecord(fields['data']) ? fields['data'] : {};
      const status = fields['statusCode'] ?? data['statusCode'];
      if (typeof status !== 'number')
        return {
          code: NO_ANSWER,
          status: undefined,
          requestId: undefined,
          ms: ms(),
          known: true,
          message: '',
          body: {},
        };
      const code = plainCode(fields['code']) || `HTTP${status}`;
      const latest = credentials?.latest();
      const secrets = latest ? [latest.accessKeyId, latest.accessKeySecret, latest.securityToken] : [];
      return {
        code,
        status,
        requestId: plainRequestId(fields['requestId'] ?? data['RequestId']),
        ms: ms(),
        known: isKnown(action, code, status),
        message:
          code.startsWith('Signature') || code.startsWith('IncompleteSignature')
            ? ''
            : redact(data['Message'], secrets),
        body: data,
      };
    }
  };
