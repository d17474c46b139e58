/**
 * Words of an earlier, private vocabulary, and what the field says instead: see the glossary in docs/design.md. Where
 * users see one (labels of steps, annotations, configuration), the file that holds it is named here.
 */
export const RETIRED: Readonly<Record<string, string>> = {
  'bequeath\\w*': 'assign a successor',
  'heirs?': 'successor',
  'inherit(ed|ance)? (an |the )?EIP': 'transfer',
  putToUse: 'bind',
  obtain: 'provision',
  giveBack: 'finalize',
  'witness\\w*': 'external',
  'rivals?': 'competing claim, competitor',
  'supplant\\w*': 'preempt',
  'contend\\w*': 'compete',
  'renounce\\w*': 'revoke',
  outranks: 'hasPriorityOver',
  isKin: 'isSameService',
  vacated: 'reclaimable',
  mayBuy: 'checkQuota',
  'parked|isParked|parkedMs': 'retained',
  readNotes: 'readRecord',
  memories: 'tracker',
  stopwatch: 'latency tracker',
  'PodSeen|PolicySeen': 'observed state',
  'Look(At|For)\\w+': 'Read…',
  'weigh|judge|judgePod|JudgeInput': 'evaluate',
  'GuardSettings|GuardFacts': 'rule settings, cluster facts',
  whereabouts: 'target',
  surroundings: 'context',
  'strays?': 'orphan candidate',
  'sightings?': 'observation',
  'stor(y|ies)': 'demo, scenario',
  'Fact|factOf': 'observation',
  'feed(Services|Policies)': 'enqueue…',
  'brakeOn|orphan-brake': 'circuit breaker',
  'GuardParts|createGuard': 'authorizer',
  'spare|isWitness|ECI_NAME': 'reusable, external',
  'Supplant|Rob|shareOf': 'preempt, force-detach, usage',
  'kin|Kin|kinOf': 'same service, claimant',
  'tapes?|Life|Lane': 'seeded input, process, partition',
  'sins?': 'pre-existing violation',
  essence: 'relevant part',
  isNews: 'predicate, hasChanged',
  'keepPod\\w*': 'trim',
  crew: 'workers',
  'customers?': 'workload, requester',
  agenda: 'event queue',
  'Bell|Ground': 'trigger, context',
  dazed: 'just started',
  'incarnations?': 'process',
  'mortal|Existence': 'killable process',
  'StillClock|fakeClock': 'ManualClock',
};
export const MAY_SAY_RETIRED =
  /^(src\/controllers\/podeip\/step-label\.ts|src\/api\/annotations\.ts|src\/controllers\/garbagecollection\/metrics\.ts|test\/architecture\.test\.ts|test\/house\/retired-words\.ts)$/;

/** Which of them a source says, each with what to say instead. */
export const retiredIn = (source: string): string[] =>
  Object.entries(RETIRED)
    .filter(([word]) => new RegExp(`(?<![\\w-])(${word})(?![\\w-])`).test(source))
    .map(([word, instead]) => `${word} → ${instead}`);
