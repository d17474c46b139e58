import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'yaml';
import { CRD } from '../../src/api/apiextensions.ts';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../../src/kube/port.ts';
import { createSandboxCloud, type CloudOptions, type EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { transport as inProcess } from '../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer, type ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { seeded } from './random.ts';
import { ManualClock } from './clock.ts';
import { waitDuring } from './during.ts';
import { REGION } from './settings.ts';
import { until } from './until.ts';

const definitions = new Map<string, object>();

/** The definition that is installed with the product. Parsed once, since a test may set up a thousand clusters. */
export const definitionOf = ({ plural, group }: Pick<Resource<KubeObject>, 'plural' | 'group'>): Readonly<object> => {
  const file = `${plural}.${group}.yaml`;
  const known = definitions.get(file);
  if (known) return known;
  const definition = parse(readFileSync(new URL(`../../config/crd/${file}`, import.meta.url), 'utf8')) as object;
  definitions.set(file, definition);
  return definition;
};

/** The product's adapter on this cloud, without a network between them. */
export const adapterOn = (
  cloud: EmbeddedCloud,
  clock: Clock,
  more: Partial<Parameters<typeof assembleCloud>[0]> = {},
): ReturnType<typeof assembleCloud> => {
  const sent = callApi(cloud);
  return assembleCloud({
    clock,
    region: REGION,
    callApi: (params, request) => sent(params, request, {}),
    ...more,
  });
};

export interface ClusterOptions {
  /** Of what the API server and the cloud leave to chance. */
  readonly seeds: { readonly api: number; readonly cloud: number };
  readonly cloud?: Partial<CloudOptions>;
  /** How much time passes at once in {@link EmbeddedCluster.pass}, milliseconds: no more than what may be due soon. */
  readonly stepMs?: number;
  /** Whether nothing is under way outside of virtual time; asked before time passes. */
  readonly isQuiet?: (() => boolean) | undefined;
}

/**
 * The embedded API server and the embedded cloud in virtual time: what every test stands on that lets a part of the
 * product work. World runs the reconciler of PodEIPs alone, Operating the controller as production composes it,
 * Sweeping garbage collection alone, and Stage (test/virtualnode) a virtual node.
 *
 * Two stay apart. The simulation (test/simulation) has this under a wire that loses and delays, and a scheduler that
 * makes each run repeatable from its seed. The stages of test/e2e and test/serving have processes, sockets and real
 * time, because that is what they are about.
 */
export class EmbeddedCluster {
  readonly clock = new ManualClock();
  readonly server: ApiServer;
  readonly transport: KubeTransport;
  /** The client of everybody but the product. */
  readonly kube: Kube;
  readonly cloud: EmbeddedCloud;
  readonly #stepMs: number;
  readonly #isQuiet: () => boolean;

  constructor({ seeds, cloud, stepMs = 100, isQuiet = () => true }: ClusterOptions) {
    const { clock } = this;
    this.server = createApiServer({ clock, random: seeded(seeds.api) });
    this.transport = inProcess(this.server);
    this.kube = createKube({ transport: this.transport, clock, qps: 0 });
    this.cloud = createSandboxCloud({ clock, random: seeded(seeds.cloud), ...cloud });
    this.#stepMs = stepMs;
    this.#isQuiet = isQuiet;
  }

  /** Installs the definitions of these kinds. */
  async define(...kinds: readonly Pick<Resource<KubeObject>, 'plural' | 'group'>[]): Promise<void> {
    for (const kind of kinds) await this.during(this.kube.create(CRD, definitionOf(kind)));
  }

  /** The pod is deleted with `gracePeriodSeconds: 0`, which the product never sends. */
  async forcePod(name: string): Promise<void> {
    const path = `/api/v1/namespaces/default/pods/${name}`;
    const body = JSON.stringify({ gracePeriodSeconds: 0 });
    await this.transport({ method: 'DELETE', path, contentType: 'application/json', body });
  }

  /** Waits for something; time passes only while nothing else moves. */
  during<T>(work: Promise<T>): Promise<T> {
    return waitDuring(this.clock, work, 1);
  }

  /** Lets `ms` of virtual time pass, in small steps, so that whoever is woken up gets on. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += this.#stepMs) {
      for (let turn = 0; turn < 3; turn += 1) await setImmediate();
      while (!this.#isQuiet()) await setImmediate();
      await this.clock.advance(Math.min(this.#stepMs, ms - passed));
    }
  }

  /** Lets time pass until `isSo`; the milliseconds that it took, or Infinity after `atMostMs`. */
  async until(isSo: () => unknown, atMostMs = 60_000): Promise<number> {
    const start = this.clock.mono();
    while (!(await isSo())) {
      if (this.clock.mono() - start >= atMostMs) return Infinity;
      await this.pass(500);
    }
    return this.clock.mono() - start;
  }

  /**
   * The same for what comes through a socket, which knows nothing of virtual time: both times pass, and the real one
   * decides when it has taken too long.
   */
  async untilHeard(what: string, isSo: () => unknown): Promise<void> {
    const ask = async (): Promise<boolean> => {
      await this.pass(500);
      return Boolean(await isSo());
    };
    await until(what, ask, (is) => is);
  }

  /** Lets time pass until what is under way has come to its end. */
  protected async drained(work: Promise<unknown>): Promise<void> {
    let isDrained = false;
    void work.then(() => {
      isDrained = true;
    });
    if ((await this.until(() => isDrained, 600_000)) === Infinity) throw new Error('it does not drain');
  }
}
