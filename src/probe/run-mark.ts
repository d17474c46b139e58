/** What every object of a run is known by, whichever of the two the cloud keeps. */
export const MARK_TAG = 'knative-eip-probe';

/** The names and the tag of one run. Nothing without one of them is ever changed. */
export interface Mark {
  /** Lower-case letters and digits. */
  readonly run: string;
  /** The name of an EIP: with slash and colon, as those of the product have them. */
  readonly eipName: (what: string) => string;
  /** The same without any sign that a cloud could refuse. */
  readonly plainEipName: (what: string) => string;
  readonly description: string;
  readonly interfaceName: string;
  /** The container groups that a run may have. */
  readonly groupNames: { readonly auto: string; readonly plain: string };
  /** `Tag.1.…` for a call that creates something or tags it. */
  readonly tag: Readonly<Record<string, string>>;
}

export const markOfRun = (run: string): Mark => ({
  run,
  eipName: (what) => `${MARK_TAG}/${run}:${what}`,
  plainEipName: (what) => `${MARK_TAG}-${run}-${what}`,
  description: `${MARK_TAG} ${run}`,
  interfaceName: `${MARK_TAG}-${run}`,
  groupNames: { auto: `${MARK_TAG}-${run}-auto`, plain: `${MARK_TAG}-${run}-plain` },
  tag: { 'Tag.1.Key': MARK_TAG, 'Tag.1.Value': run },
});

/** How long a run's ID is: chance makes two alike in no account's life. */
const RUN_LENGTH = 10;

/** A new run's ID. */
export const newRun = (uuid: string): string => uuid.replaceAll('-', '').slice(0, RUN_LENGTH).toLowerCase();

/** Whether the text can be a run's ID: a shorter one could be the beginning of another's. */
export const isRun = (text: string): boolean =>
  text.length === RUN_LENGTH && Array.from(text).every((letter) => '0123456789abcdef'.includes(letter));

interface Marked {
  readonly name: string;
  readonly description?: string;
  readonly tags: ReadonlyMap<string, string>;
}

/** Whether an object is the run's, by its tag, its name or its description. */
export const carriesMark = (mark: Mark, { name, description = '', tags }: Marked): boolean =>
  tags.get(MARK_TAG) === mark.run ||
  name.startsWith(mark.eipName('')) ||
  name.startsWith(mark.plainEipName('')) ||
  name === mark.interfaceName ||
  description === mark.description;
