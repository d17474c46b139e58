import type { Clock } from '../../lib/clock.ts';
import type { Account } from './cloud-account.ts';
import { findAction, hostOf } from './served-actions.ts';
import type { ServedAction } from './served-actions.ts';
import { Faults } from './injected-faults.ts';
import type { Fault } from './injected-faults.ts';
import { answerTime } from './call-latency.ts';
import { CloudRefusal, documented, refusal } from './refusal.ts';
import { Gatekeeper } from './signature.ts';
import type { Credential } from './signature.ts';
import { ApiThrottle } from './api-throttle.ts';
import { ClientTokens } from './tokens.ts';
import type { TokenClaim, TokenUse } from './tokens.ts';
import { ConnectionDropped, failure, readParameters, success } from './rpc-wire.ts';
import type { CloudAnswer, CloudRequest, CloudResponse, Parameters } from './rpc-wire.ts';

/** A call of an API action by somebody whose identity is known. */
export interface Invocation {
  /** API version, which tells the product: 2016-04-28 VPC, 2014-05-26 ECS, 2018-08-08 ECI. */
  readonly version: string;
  readonly action: string;
  readonly parameters: Parameters;
  /** Access key ID, for the ledger. */
  readonly caller: string;
}

interface GatewaySettings {
  readonly credentials: readonly Credential[];
  readonly limits: Readonly<Record<string, number>>;
  readonly tokenLifetimeMs: number;
  readonly tokensRememberRefusals: boolean;
  /** Of the answer times; 0 is no time at all. */
  readonly scale: number;
}

/** What came of a call that was carried out. */
type Outcome =
  | { readonly kind: 'answer'; readonly answer: CloudAnswer }
  | { readonly kind: 'refusal'; readonly refusal: CloudRefusal };

const answered = (answer: CloudAnswer): Outcome => ({ kind: 'answer', answer });
const refused = (refusal: CloudRefusal): Outcome => ({ kind: 'refusal', refusal });

/**
 * The way of a call through the cloud: signature, rate limit, fault, client token, half of the latency, effect, the
 * other half, answer. The effect is one synchronous step; nothing that happens to the connection afterwards undoes it.
 */
export class Gateway {
  readonly faults = new Faults();
  readonly throttle: ApiThrottle;
  readonly #account: Account;
  readonly #clock: Clock;
  readonly #gatekeeper: Gatekeeper;
  readonly #tokens: ClientTokens;
  readonly #scale: number;

  constructor(account: Account, clock: Clock, settings: GatewaySettings) {
    this.#account = account;
    this.#clock = clock;
    this.#gatekeeper = new Gatekeeper(settings.credentials);
    this.throttle = new ApiThrottle(settings.limits);
    this.#tokens = new ClientTokens(settings.tokenLifetimeMs, settings.tokensRememberRefusals);
    this.#scale = settings.scale;
  }

  async handle(request: CloudRequest): Promise<CloudResponse> {
    const version = request.headers['x-acs-version'] ?? '';
    const action = request.headers['x-acs-action'] ?? '';
    let caller: string;
    try {
      caller = this.#gatekeeper.admit(request, this.#clock.now());
    } catch (error) {
      return this.#answer(action, version, refused(refusalOf(error)));
    }
    return this.invoke({ version, action, caller, parameters: readParameters(request) });
  }

  async invoke(invocation: Invocation): Promise<CloudResponse> {
    const { version, action: name, parameters } = invocation;
    let action: ServedAction;
    try {
      action = findAction(version, name);
      this.throttle.admit(name, this.#account.catchUp());
      const region = parameters.get('RegionId');
      if (region !== undefined && region !== this.#account.settings.regionId)
        throw refusal('InvalidRegionId.NotFound', `Only ${this.#account.settings.regionId} exists here.`);
    } catch (error) {
      return this.#answer(name, version, refused(refusalOf(error)));
    }
    const fault = this.faults.match(invocation) ?? {};
    const latency = answerTime(name, this.#scale, this.#account.random);
    const outcome = await this.#carryOut(action, invocation, fault, latency);
    await this.#pass(latency / 2 + (fault.stallMs ?? 0));
    return this.#answerAs(fault, name, version, outcome);
  }

  /** Makes the call take effect, now, later or never. Returns undefined when there is nothing to answer with yet. */
  async #carryOut(
    action: ServedAction,
    invocation: Invocation,
    { effect = 'done', answer = 'true' }: Fault,
    latency: number,
  ): Promise<Outcome | undefined> {
    if (effect === 'never') {
      this.#refuse(action, invocation, answer);
      await this.#pass(latency / 2);
      return undefined;
    }
    let claim: TokenUse | undefined;
    try {
      const claimed = this.#claim(action, invocation);
      if (claimed?.kind === 'replay') {
        await this.#pass(latency / 2);
        return answered(claimed.answer);
      }
      claim = claimed?.use;
    } catch (error) {
      return refused(refusalOf(error));
    }
    if (effect === 'done') {
      await this.#pass(latency / 2);
      return this.#take(action, invocation, claim, this.#account.catchUp());
    }
    let outcome: Outcome | undefined;
    this.#account.eventQueue.at(this.#account.catchUp() + effect.afterMs, (at) => {
      outcome = this.#take(action, invocation, claim, at);
    });
    if (answer === 'true') {
      await this.#pass(effect.afterMs);
      this.#account.catchUp();
    }
    return outcome;
  }

  /** A token counts from the arrival of the call: a second call meanwhile is told LastTokenProcessing. */
  #claim(action: ServedAction, { action: name, parameters }: Invocation): TokenClaim | undefined {
    const token = parameters.get('ClientToken');
    if (!action.takesToken || token === undefined) return undefined;
    return this.#tokens.claim(name, token, parameters.fingerprint(), this.#account.catchUp());
  }

  /** A token hears of a refusal that was injected, as it does of the cloud's own. One without certainty is none. */
  #refuse(action: ServedAction, invocation: Invocation, answer: NonNullable<Fault['answer']>): void {
    if (typeof answer === 'string' || 'garbage' in answer) return;
    const refusal = new CloudRefusal({ ...documented(answer.code), ...answer });
    if (refusal.status < 400 || refusal.status >= 500 || refusal.code.startsWith('Throttling')) return;
    try {
      const claimed = this.#claim(action, invocation);
      if (claimed?.kind === 'use') claimed.use.refuse(refusal, this.#account.catchUp());
    } catch (error) {
      // The token has another fate already; anything else is a mistake in here.
      refusalOf(error);
    }
  }

  #take(
    action: ServedAction,
    { action: name, parameters, caller }: Invocation,
    claim: TokenUse | undefined,
    at: number,
  ): Outcome {
    try {
      const answer = action.run(this.#account, { action: name, parameters, caller, at });
      claim?.succeed(answer, at);
      return answered(answer);
    } catch (error) {
      const refusal = refusalOf(error);
      claim?.refuse(refusal, at);
      return refused(refusal);
    }
  }

  #answerAs({ answer = 'true' }: Fault, action: string, version: string, outcome: Outcome | undefined): CloudResponse {
    if (answer === 'drop' || (answer === 'true' && !outcome)) {
      this.#account.ledger.count(action, 'Dropped');
      throw new ConnectionDropped();
    }
    if (answer === 'true') return this.#answer(action, version, outcome!);
    if ('code' in answer)
      return this.#answer(action, version, refused(new CloudRefusal({ ...documented(answer.code), ...answer })));
    const whole = this.#render(version, outcome ?? answered({}));
    this.#account.ledger.count(action, 'Garbage');
    return garbage(answer.garbage, whole, answer.status);
  }

  #answer(action: string, version: string, outcome: Outcome): CloudResponse {
    this.#account.ledger.count(action, outcome.kind === 'answer' ? 'OK' : outcome.refusal.code);
    return this.#render(version, outcome);
  }

  #render(version: string, outcome: Outcome): CloudResponse {
    const requestId = this.#account.random.uuid().toUpperCase();
    return outcome.kind === 'answer'
      ? success(requestId, outcome.answer)
      : failure(requestId, hostOf(version), outcome.refusal);
  }

  async #pass(ms: number): Promise<void> {
    if (ms > 0) await this.#clock.sleep(ms);
  }
}

/** The refusal that was thrown; anything else is a mistake in the embedded cloud, which must not pass for an answer. */
const refusalOf = (error: unknown): CloudRefusal => {
  if (error instanceof CloudRefusal) return error;
  throw error;
};

const garbage = (kind: 'html' | 'empty' | 'truncated', whole: CloudResponse, status?: number): CloudResponse => {
  if (kind === 'html') {
    const body = '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>';
    return { status: status ?? 502, headers: { 'content-type': 'text/html' }, body };
  }
  const body = kind === 'empty' ? '' : whole.body.slice(0, Math.floor(whole.body.length / 2));
  return { status: status ?? 200, headers: whole.headers, body };
};
