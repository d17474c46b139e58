import type { KnativeService } from '../../src/api/knative.ts';
import { wayTo, type Way } from './knative.ts';
import type { ManualClock } from '../harness/clock.ts';

/** Where each Service sends its requests, and where it did so before. */
export class Routing {
  readonly #time: ManualClock;
  /** What there was, and since when, by UID; the latest last. Undefined where the Service is gone. */
  readonly #states = new Map<string, { readonly service: KnativeService | undefined; readonly since: number }[]>();

  constructor(time: ManualClock) {
    this.#time = time;
  }

  onWrite(type: string, object: KnativeService): void {
    const { uid, deletionTimestamp } = object.metadata;
    const service = type === 'DELETED' || deletionTimestamp !== undefined ? undefined : object;
    this.#states.set(uid, [...(this.#states.get(uid) ?? []), { service, since: this.#time.mono() }]);
  }

  /** The Services that are there. */
  services(): readonly KnativeService[] {
    return [...this.#states.values()].flatMap((states) => states.at(-1)?.service ?? []);
  }

  /** Whether there was such a Service, and there is none any more. */
  isGone(uid: string): boolean {
    const states = this.#states.get(uid);
    return states !== undefined && states.at(-1)?.service === undefined;
  }

  /** Every two ways that the two Revisions of a Service were at the same time within so many milliseconds. */
  waysOf(uid: string, revisions: readonly [string, string], withinMs: number): readonly (readonly [Way, Way])[] {
    const states = this.#states.get(uid) ?? [];
    const from = this.#time.mono() - withinMs;
    return states
      .filter((_, index) => (states[index + 1]?.since ?? Infinity) >= from)
      .flatMap(({ service }) =>
        service ? [[wayTo(service, revisions[0]), wayTo(service, revisions[1])] as const] : [],
      );
  }
}
