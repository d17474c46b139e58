import { CALL_TIMEOUT_MS } from '../../src/cloud/call-deadline.ts';

/**
 * How long after the last change the simulated controller waits before it takes silence for an answer
 * (`cloud.settleSeconds`); the product adds the time-out of a call to it. Shorter than the default, so that a simulated
 * life is short; what counts is the order of the three times below.
 */
export const SETTLE_SECONDS = 12;

/**
 * How long after it was sent a request of the controller to the cloud may take effect at the latest, however it was
 * answered, and also if its sender is dead. Together with the lag of reads it must be less than what the product waits
 * (SETTLE_SECONDS + the time-out of a call): beyond that the product promises nothing, because nobody could.
 */
export const LATEST_EFFECT_MS = 14_000;

/** How far Describe lags at most. Less than READ_LAG_MS of src/manager/controllers.ts, for the same reason. */
export const READ_LAG_MS = 2_500;

/**
 * The same bound for requests to the API server. Its writes carry preconditions, so that nothing else depends on it.
 */
export const LATEST_WRITE_MS = 12_000;

/** How long a line of a watch may travel. */
export const WATCH_LAG_MS = 3_000;

if (LATEST_EFFECT_MS + READ_LAG_MS >= SETTLE_SECONDS * 1_000 + CALL_TIMEOUT_MS)
  throw new Error('the simulated cloud is slower than the product can know');
