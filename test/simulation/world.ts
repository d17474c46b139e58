import { createSandboxCloud, type EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { createApiServer, type ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { unrest } from './at-rest.ts';
import { Cluster } from './cluster.ts';
import { LATEST_EFFECT_MS, READ_LAG_MS } from './fault-bounds.ts';
import { Looks } from './looks.ts';
import { startController } from './product-process.ts';
import { Inspector, type Violation } from './inspector.ts';
import { Process, type Io } from './process.ts';
import {
  hasKnative,
  isAttack,
  isHopeless,
  PACKAGE,
  USERS_EIPS,
  type Action,
  type Attack,
  type Script,
} from './script.ts';
import { seeded, type SeededInput } from './seeded-input.ts';
import { SimulatedSink, sinkLink } from './sink.ts';
import { ManualClock } from '../harness/clock.ts';
import { Trace } from './trace.ts';
import { EPOCH, type Death, type Wire } from './wire.ts';

/** How long after the last fault everything must be as it has to be; milliseconds. */
const CONVERGE_MS = 180_000;
/** How much longer that may take where each process dies before it could wait for anything; milliseconds. */
const CRASHING_MS = 420_000;
/** The longest that a refused call is not tried again; milliseconds. */
const REFUSAL_MS = 610_000;
/** How often that is looked at, and for how long it must stay so. */
const LOOK_MS = 5_000;
const STAYS_MS = 20_000;
/** How long nothing is written once nothing happens; longer than every interval of the product. */
const QUIET_MS = 1_500_000;
/** How long a delivery may be put off by failures before; milliseconds. */
const DELIVERED_MS = 150_000;
/** The most events of one world: beyond this something spins. */
const MOST_EVENTS = 150_000;
/** Timers that a process at rest may have, besides one per PodEIP. */
const MOST_TIMERS = 24;

/** Kills the first process at its n-th I/O. */
export interface CrashPoint {
  readonly io: number;
  readonly death: Death;
}

export interface RunOptions {
  readonly input: SeededInput;
  readonly crash?: CrashPoint | undefined;
  /** Keeps the lines of the trace and the product's log. */
  readonly keepTrace?: boolean | undefined;
}

export interface Outcome {
  /** The first one. */
  readonly violation: Violation | undefined;
  readonly hash: string;
  readonly lines: readonly string[];
  /** I/Os of the first process. */
  readonly firstIos: readonly string[];
  readonly ios: number;
  readonly faults: number;
  readonly deaths: number;
  readonly virtualMs: number;
  /** How long it took until all was well after the last fault; milliseconds. */
  readonly convergedMs: number;
  readonly draws: readonly number[];
}

/** One world: a cluster, a cloud, and one controller after another or beside another. */
class World implements Wire {
  readonly time = new ManualClock(EPOCH);
  readonly input: SeededInput;
  readonly #script: Script;
  readonly #options: RunOptions;
  readonly #trace: Trace;
  readonly #server: ApiServer;
  readonly #cloud: EmbeddedCloud;
  readonly #cluster: Cluster;
  readonly inspector: Inspector;
  readonly #sink = new SimulatedSink();
  /** All that live, the newest last. */
  #processes: { process: Process; terminate: () => void }[] = [];
  #started = 0;
  #jumped = 0;
  #starting = 0;
  #isCalm = false;
  readonly #out = { kubernetes: -1, cloud: -1 };
  readonly #looks: Looks;
  readonly firstIos: string[] = [];
  readonly counts = { io: 0, fault: 0, watch: 0, death: 0, write: 0 };

  constructor(script: Script, options: RunOptions) {
    this.#script = script;
    this.#options = options;
    this.input = options.input;
    this.#trace = new Trace(options.keepTrace ?? false);
    const { time, input } = this;
    this.#server = createApiServer({ clock: time, random: seeded(1) });
    const chance = seeded(2);
    this.#cloud = createSandboxCloud({
      clock: time,
      random: { next: () => input.next(), uuid: () => chance.uuid() },
      quota: script.quota,
      ...(script.readings && { readings: script.readings }),
      transitions: {
        associate: { minMs: 300, maxMs: 3_000 },
        unassociate: { minMs: 300, maxMs: 3_000 },
        bandwidthPackage: { minMs: 300, maxMs: 2_000 },
      },
      readLag: { maxMs: READ_LAG_MS, monotonic: false },
    });
    this.inspector = new Inspector(this.#server, this.#cloud, time);
    this.#looks = new Looks(time, (said) => this.inspector.broken('I10', said));
    this.inspector.isPunctual = script.faultRate === 0;
    this.#cluster = new Cluster(this.#server, this.#cloud, time, script, (what) => this.trace(what));
  }

  faultRate(): number {
    return this.#isCalm ? 0 : this.#script.faultRate;
  }

  isOut(peer: 'kubernetes' | 'cloud'): boolean {
    return this.time.mono() < this.#out[peer];
  }

  trace(what: string): void {
    this.#trace.line(this.time.mono(), what);
  }

  tell(what: string): void {
    this.#trace.tell(this.time.mono(), what);
  }

  count(what: 'io' | 'fault' | 'watch'): void {
    this.counts[what] += 1;
  }

  onIo({ process, label, number, isWrite }: Io): Death | undefined {
    if (number === undefined) return undefined;
    this.#looks.onIo(process.name, label);
    if (isWrite) this.counts.write += 1;
    const { crash } = this.#options;
    if (process.name === 'controller-1') {
      this.firstIos.push(label);
      if (number === crash?.io) return this.#die(process, crash.death, label);
    }
    if (this.#isCalm || !this.input.happens(this.#script.faultRate / 40)) return undefined;
    return this.#die(process, this.input.pick(['before', 'after', 'in flight']), label);
  }

  onCall(process: Process, action: string, query: Readonly<Record<string, string>>): void {
    this.inspector.onCall(process.name, action, query, this.#script.election);
  }

  onAssociate(process: Process, query: Readonly<Record<string, string>>, fate: 'OK' | 'disturbed'): void {
    this.inspector.associations.onCall(process.name, query, fate);
  }

  onRequest(process: Process, method: string, path: string, body: string | undefined): void {
    this.inspector.onRequest(process.name, method, path, body);
  }

  writes(): void {
    this.inspector.isByController = true;
  }

  #die(process: Process, death: Death, label: string): Death {
    this.trace(`${process.name} dies ${death} ${label}`);
    this.counts.death += 1;
    // After the effect it dies when that is there.
    if (death !== 'after') process.kill();
    const downMs = this.#isCalm ? 1_000 : this.input.between(0, 20_000);
    this.#startLater(downMs);
    return death;
  }

  #start(): void {
    this.#processes = this.#processes.filter(({ process }) => process.isAlive);
    this.#started += 1;
    const number = this.#started;
    const random = seeded(1_000 + number);
    const process = new Process(`controller-${number}`, this.time, {
      wall: Math.round(random.next() * 4_000 - 2_000) + this.#jumped,
      mono: Math.round(random.next() * 1e6),
    });
    this.trace(`${process.name} starts`);
    const { terminate } = startController({
      wire: this,
      process,
      server: this.#server,
      cloud: this.#cloud,
      random: { next: () => this.input.next(), uuid: () => random.uuid() },
      script: this.#script,
      sender: this.#script.sink ? sinkLink(this, process, this.#sink) : undefined,
      tells: this.#options.keepTrace ?? false,
      onExit: () => this.#startLater(500),
    });
    this.#processes.push({ process, terminate });
    const { lifeMs } = this.#script;
    if (lifeMs === undefined) return;
    this.time.timer(lifeMs, () => {
      if (!process.isAlive || (this.#isCalm && this.#script.faultRate > 0)) return;
      this.trace(`${process.name} has lived for ${lifeMs} ms`);
      this.counts.death += 1;
      process.kill();
      this.#startLater(500);
    });
  }

  /** Starts one, unless one runs by then. */
  #startLater(ms: number): void {
    this.#starting += 1;
    this.time.timer(ms, () => {
      this.#starting -= 1;
      if (!this.#processes.some(({ process }) => process.isAlive)) this.#start();
    });
  }

  #newest() {
    return this.#processes.findLast(({ process }) => process.isAlive);
  }

  #perform(action: Action): void {
    this.trace(`--- ${JSON.stringify(action)}`);
    if (isAttack(action)) this.#attack(action);
    else
      this.#cluster
        .perform(action)
        .catch((error: unknown) => this.inspector.broken('world', `world: ${String(error)}`));
  }

  #attack(action: Attack): void {
    const { time } = this;
    const newest = this.#newest();
    switch (action.do) {
      case 'outage':
        this.#out[action.peer] = time.mono() + action.ms;
        return;
      case 'kill':
        if (!newest) return;
        this.counts.death += 1;
        newest.process.kill();
        return this.#startLater(action.downMs);
      case 'terminate':
        return newest?.terminate();
      case 'pause':
        this.inspector.pausedMs += action.ms;
        return newest?.process.pause(action.ms);
      case 'second':
        this.#start();
        if (newest)
          time.timer(action.ms, () => {
            newest.process.kill();
            this.#startLater(0);
          });
        return;
      case 'jump':
        // The clock is the machine's: a process that is started again finds it as it is.
        this.#jumped += action.ms;
        if (newest) newest.process.wallOffset += action.ms;
        return;
    }
  }

  async #pass(ms: number): Promise<boolean> {
    const { inspector, time } = this;
    await time.advanceTo(time.mono() + ms, () => {
      inspector.check();
      inspector.isByController = false;
      if (time.fired > MOST_EVENTS && inspector.violations.length === 0)
        inspector.broken('I10', `${time.fired} events and no end`);
      return inspector.violations.length > 0 ? 'stop' : undefined;
    });
    return inspector.violations.length === 0;
  }

  async run(): Promise<Outcome> {
    const { inspector, time } = this;
    let convergedMs = 0;
    const { world } = this.#cloud;
    await this.#cluster.build();
    if (hasKnative(this.#script.actions)) await this.#cluster.installKnative();
    if (this.#script.limit !== undefined) await this.#cluster.limit(this.#script.limit);
    for (const allocationId of USERS_EIPS)
      world.addEip({ allocationId, name: allocationId, tags: { team: 'web' }, bandwidthMbps: 10 });
    if (this.#script.hasPackage !== false) world.addBandwidthPackage(PACKAGE);
    for (const legacy of this.#script.legacy) await this.#cluster.leaveBehind(legacy);
    inspector.begin(this.#script);
    this.#cluster.touched.clear();
    inspector.touched = this.#cluster.touched;
    // So that every reading shows what was there from the beginning.
    time.timer(READ_LAG_MS, () => this.#start());
    for (const action of this.#script.actions) time.timer(READ_LAG_MS + action.at, () => this.#perform(action));
    if (await this.#pass(READ_LAG_MS + this.#script.endMs)) {
      this.#calm();
      convergedMs = await this.#converge();
      if (this.#script.sink && inspector.violations.length === 0) await this.#hearAll();
      if (this.#script.quiet && inspector.violations.length === 0) await this.#beQuiet();
    }
    for (const { process } of this.#processes) process.kill();
    return {
      violation: inspector.violations[0],
      hash: this.#trace.hash,
      lines: this.#trace.lines,
      firstIos: this.firstIos,
      ios: this.counts.io,
      faults: this.counts.fault,
      deaths: this.counts.death,
      virtualMs: time.mono(),
      convergedMs,
      draws: this.input.drawn,
    };
  }

  /** From here on nothing goes wrong any more, but for what is under way. */
  #calm(): void {
    this.trace('--- calm');
    this.#isCalm = true;
    this.#out.kubernetes = this.#out.cloud = -1;
    this.#cloud.setQuota(20);
    // Of several that would all work one is left.
    const alive = this.#processes.filter(({ process }) => process.isAlive);
    if (!this.#script.election) for (const { process } of alive.slice(0, -1)) process.kill();
    if (alive.length === 0 && this.#starting === 0) this.#start();
  }

  /** I1, I3, I6, I7, I8, I10: all is well, soon, and stays so. */
  async #converge(): Promise<number> {
    const { inspector, time } = this;
    const began = time.mono();
    let wellSince: number | undefined;
    let said: string | undefined;
    // What is still travelling may yet arrive.
    if (!(await this.#pass(LATEST_EFFECT_MS))) return 0;
    // A quota is asked about again after ten minutes at the latest: nothing tells of room that others make.
    // An EIP that was bought before its pod had an address, and cannot be bound, is given back after ten minutes.
    const hopelessMs = isHopeless(this.#script) ? REFUSAL_MS : 0;
    let limit = began + CONVERGE_MS + hopelessMs + (this.#script.lifeMs === undefined ? 0 : CRASHING_MS);
    while (time.mono() < limit || wellSince !== undefined) {
      if (!(await this.#pass(LOOK_MS))) return 0;
      said = unrest(inspector, this.#cloud, time.mono());
      if (said?.includes('QuotaExceeded')) limit = began + CONVERGE_MS + REFUSAL_MS;
      wellSince = said === undefined ? (wellSince ?? time.mono()) : undefined;
      if (wellSince !== undefined && time.mono() >= wellSince + STAYS_MS) return wellSince - began;
    }
    const [invariant = 'I10', ...rest] = (said ?? 'I10: unrest').split(': ');
    inspector.broken(invariant, `after ${CONVERGE_MS / 1_000} s without faults: ${rest.join(': ')}`);
    return 0;
  }

  /** I16: the sink has been told of everything, in order. */
  async #hearAll(): Promise<void> {
    const { inspector } = this;
    if (!(await this.#pass(DELIVERED_MS))) return;
    const { everPodEips, podEips } = inspector.oracle;
    const alive = new Set([...podEips.values()].map(({ metadata }) => metadata.uid));
    const eips = new Set(this.#cloud.eips().map(({ allocationId }) => allocationId));
    const said = this.#sink.disorder() ?? this.#sink.gap(everPodEips, alive, eips);
    if (said !== undefined) inspector.broken('I16', said.replace('I16: ', ''));
  }

  /** I14: nobody writes where nothing happens. I15: nothing piles up. */
  async #beQuiet(): Promise<void> {
    const { inspector } = this;
    // Repeats of Events are counted for a while.
    if (!(await this.#pass(QUIET_MS / 5))) return;
    inspector.lately = [];
    inspector.refreshes = 0;
    const { write } = this.counts;
    const changes = this.#cloud.ledger().length;
    if (!(await this.#pass(QUIET_MS))) return;
    if (inspector.lately.length > 0)
      inspector.broken('I14', `written although nothing happened: ${inspector.lately.slice(0, 5).join(', ')}`);
    if (this.counts.write - write > inspector.refreshes)
      inspector.broken('I14', `${this.counts.write - write} writes are sent although nothing happens`);
    if (this.#cloud.ledger().length > changes)
      inspector.broken('I14', 'the cloud was changed although nothing happened');
    const timers = this.#newest()?.process.timers ?? 0;
    if (timers > MOST_TIMERS + inspector.oracle.podEips.size)
      inspector.broken('I15', `${timers} timers although nothing happens`);
  }
}

/** Runs one script against one input. */
export const runWorld = async (script: Script, options: RunOptions): Promise<Outcome> => {
  // Imported lazily by the product: loading it is real I/O, which no event may wait for.
  await Promise.all([import('../../src/cloud/alicloud/vpc-client.ts'), import('@alicloud/openapi-core')]);
  return new World(script, options).run();
};
