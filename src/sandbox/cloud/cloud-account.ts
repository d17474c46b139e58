import type { CloudReading } from '../../cloud/readings.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { Addresses } from './addresses.ts';
import { EventQueue } from './event-queue.ts';
import { EipTable } from './eips.ts';
import type { EipRecord } from './eips.ts';
import { InterfaceTable } from './interfaces.ts';
import { draw } from './call-latency.ts';
import type { Span, TransitionTimes } from './call-latency.ts';
import { CallLedger } from './ledger.ts';
import { RecordTable } from './record-table.ts';
import type {
  BandwidthPackageRecord,
  ContainerGroupRecord,
  ContainerUse,
  ImageCacheRecord,
  LogLine,
  NatGatewayRecord,
  PendingCommand,
} from './records.ts';
import { refusal } from './refusal.ts';
import type { VSwitch } from './vswitch.ts';
import type { Parameters } from './rpc-wire.ts';

/** One call of an API action, after the gateway. */
export interface Call {
  readonly action: string;
  readonly parameters: Parameters;
  readonly caller: string;
  /** When it takes effect, monotonic milliseconds. */
  readonly at: number;
}

/** Who does something, and when, for the ledger. */
export type Deed = Pick<Call, 'action' | 'caller' | 'at'> & { readonly parameters?: Parameters };

/** The reading `tagFilterLag`: how old the state is that queries by tag know, milliseconds. */
const TAG_LAG_MS = 5_000;

interface AccountSettings {
  readonly readings: ReadonlySet<CloudReading>;
  readonly regionId: string;
  readonly quota: number;
  /** Line types beyond BGP and BGP_PRO that this account may use. */
  readonly whitelistedIsps: readonly string[];
  readonly transitions: TransitionTimes;
  /** Describe answers with the state of up to so long ago. */
  readonly readLag: { readonly maxMs: number; readonly monotonic: boolean };
}

/** The state of one account in one region, and the two ways in which it changes: at once, and by asynchronous tasks. */
export class Account {
  readonly settings: AccountSettings;
  readonly random: Random;
  readonly eventQueue = new EventQueue();
  readonly eips: EipTable;
  readonly addresses = new Addresses();
  readonly interfaces = new InterfaceTable();
  readonly packages = new Map<string, BandwidthPackageRecord>();
  /** Public address pools: how many addresses each has left. */
  readonly pools = new Map<string, number>();
  readonly natGateways: NatGatewayRecord[] = [];
  readonly containerGroups: RecordTable<ContainerGroupRecord>;
  readonly imageCaches: RecordTable<ImageCacheRecord>;
  /** What containers have written, by `<container group>/<container>`. */
  readonly containerLogs = new Map<string, LogLine[]>();
  /** What containers use, by `GROUP/CONTAINER`, where somebody has said it. */
  readonly containerUse = new Map<string, ContainerUse>();
  /** Commands that nobody has begun yet, by the secret that their address has. */
  readonly commands = new Map<string, PendingCommand>();
  /** Where commands are run, such as `ws://127.0.0.1:1234`; undefined: nowhere. */
  commandsAt: string | undefined;
  readonly vSwitches = new Map<string, VSwitch>();
  readonly ledger = new CallLedger();
  quota: number;

  readonly #clock: Clock;
  #tasks = 0;
  #lastRead = -Infinity;

  constructor(settings: AccountSettings, clock: Clock, random: Random) {
    this.settings = settings;
    this.quota = settings.quota;
    this.random = random;
    this.#clock = clock;
    // A margin beyond the lag, because a version is forgotten only relative to a later write.
    this.eips = new EipTable(2 * Math.max(settings.readLag.maxMs, this.is('tagFilterLag') ? TAG_LAG_MS : 0));
    const keepMs = 2 * settings.readLag.maxMs;
    this.containerGroups = new RecordTable(({ containerGroupId }) => containerGroupId, keepMs);
    this.imageCaches = new RecordTable(({ imageCacheId }) => imageCacheId, keepMs);
  }

  /** Whether this reading of the documentation is on. */
  is(reading: CloudReading): boolean {
    return this.settings.readings.has(reading);
  }

  /** Lets everything happen that is due, and says what time it is (monotonic). */
  catchUp(): number {
    const now = this.#clock.mono();
    this.eventQueue.catchUp(now);
    return now;
  }

  /** Wall-clock time at the monotonic time `at`, milliseconds since the epoch. */
  wallTime(at: number): number {
    return this.#clock.now() - (this.#clock.mono() - at);
  }

  /** An identifier in the style of the cloud's: `eip-`, `cbwp-` … and twenty letters and digits. */
  newId(prefix: string): string {
    return `${prefix}-${this.random.uuid().replaceAll('-', '').slice(0, 20)}`;
  }

  /** The EIP, for an operation that changes it. @throws Refusal InvalidAllocationId.NotFound */
  eip(allocationId: string): EipRecord {
    const eip = this.eips.get(allocationId);
    if (!eip) throw refusal('InvalidAllocationId.NotFound');
    return eip;
  }

  /** All EIPs as a query sees them now: with the lag of the settings. Oldest first. */
  readEips(now: number): Iterable<EipRecord> {
    if (this.settings.readLag.maxMs <= 0) return this.eips.all();
    return this.eips.asOf(this.#timeOfRead(now));
  }

  /** All container groups as a query sees them now, likewise. */
  readContainerGroups(now: number): Iterable<ContainerGroupRecord> {
    if (this.settings.readLag.maxMs <= 0) return this.containerGroups.values();
    return this.containerGroups.asOf(this.#timeOfRead(now));
  }

  /** All image caches as a query sees them now, likewise. */
  readImageCaches(now: number): Iterable<ImageCacheRecord> {
    if (this.settings.readLag.maxMs <= 0) return this.imageCaches.values();
    return this.imageCaches.asOf(this.#timeOfRead(now));
  }

  /** Of when the state is that a query at this time sees. */
  #timeOfRead(now: number): number {
    const { maxMs, monotonic } = this.settings.readLag;
    const drawn = now - maxMs * this.random.next();
    this.#lastRead = monotonic ? Math.max(this.#lastRead, drawn) : drawn;
    return this.#lastRead;
  }

  /**
   * The EIPs whose tags fit, as a query by tag sees them now: which ones it knows of may lag behind, what it shows of
   * them is what every query shows. Oldest first.
   */
  readTagged(now: number, fits: (tags: EipRecord['tags']) => boolean): readonly EipRecord[] {
    if (!this.is('tagFilterLag')) return [...this.readEips(now)].filter(({ tags }) => fits(tags));
    const known = new Set(
      this.eips.asOf(now - TAG_LAG_MS).flatMap(({ allocationId, tags }) => (fits(tags) ? [allocationId] : [])),
    );
    return [...this.readEips(now)].filter(({ allocationId }) => known.has(allocationId));
  }

  record(deed: Deed, eip: EipRecord): void {
    this.ledger.record({
      action: deed.action,
      allocationId: eip.allocationId,
      ipAddress: eip.ipAddress,
      binding: eip.binding,
      bandwidthPackageId: eip.bandwidthPackage?.id,
      tags: eip.tags,
      at: this.wallTime(deed.at),
      caller: deed.caller,
      clientToken: deed.parameters?.get('ClientToken'),
    });
  }

  /** The EIP is `meanwhile` until the drawn time is over, then it ends; nothing else may happen to it any more. */
  endAfter(meanwhile: EipRecord, span: Span, at: number, end: (at: number) => void): void {
    this.eips.put(meanwhile, at);
    this.eventQueue.at(at + draw(span, this.random), end);
  }

  /**
   * Starts an asynchronous task on an EIP: it is `meanwhile` until the drawn time is over, then what `end` makes of it.
   * A task that was overtaken (the EIP was released, its interface removed) ends without effect.
   */
  begin(meanwhile: EipRecord, span: Span, at: number, end: (eip: EipRecord) => EipRecord): void {
    const lastsMs = draw(span, this.random);
    if (lastsMs <= 0) {
      this.eips.put({ ...end(meanwhile), task: undefined }, at);
      return;
    }
    const task = ++this.#tasks;
    this.eips.put({ ...meanwhile, task }, at);
    this.eventQueue.at(at + lastsMs, (then) => {
      const eip = this.eips.get(meanwhile.allocationId);
      if (eip?.task === task) this.eips.put({ ...end(eip), task: undefined }, then);
    });
  }
}
