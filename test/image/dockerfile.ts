import { readFileSync } from 'node:fs';

interface Instruction {
  /** In capitals, such as RUN. */
  readonly name: string;
  /** What follows, with the lines that go on in the next joined. */
  readonly text: string;
}

interface BuildStage {
  /** What stands behind FROM, and before AS. */
  readonly from: string;
  readonly as: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** Defaults of the arguments before the first stage. */
  readonly args: ReadonlyMap<string, string>;
  readonly stages: readonly BuildStage[];
}

const instructionsOf = (text: string): Instruction[] =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n/gu, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/u.exec(line) ?? [];
      return { name: name.toUpperCase(), text: rest.trim() };
    });

const stageOf = (text: string): Pick<BuildStage, 'from' | 'as'> => {
  const [from = '', as] = text.split(/\s+AS\s+/iu);
  return { from, as };
};

/** What a Dockerfile says, as far as ours uses its language. */
export const readDockerfile = (path: string): Dockerfile => {
  const args = new Map<string, string>();
  const stages: (BuildStage & { instructions: Instruction[] })[] = [];
  for (const instruction of instructionsOf(readFileSync(path, 'utf8'))) {
    const stage = stages.at(-1);
    if (instruction.name === 'FROM') stages.push({ ...stageOf(instruction.text), instructions: [] });
    else if (stage) stage.instructions.push(instruction);
    else if (instruction.name === 'ARG') {
      const at = instruction.text.indexOf('=');
      args.set(instruction.text.slice(0, at), instruction.text.slice(at + 1));
    } else throw new Error(`${instruction.name} before the first FROM`);
  }
  return { args, stages };
};

/** What the instructions of this name say, in their order. */
export const textsOf = ({ instructions }: BuildStage, name: string): readonly string[] =>
  instructions.filter((each) => each.name === name).map(({ text }) => text);

/** What ENV sets. */
export const environmentOf = (stage: BuildStage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    textsOf(stage, 'ENV')
      .flatMap((text) => [...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/gu)])
      .map(([, name = '', quoted, plain]) => [name, quoted ?? plain ?? '']),
  );
