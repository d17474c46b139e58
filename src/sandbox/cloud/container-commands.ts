import type { Account, Call } from './cloud-account.ts';
import { gone } from './container-group-description.ts';
import type { PendingCommand } from './records.ts';
import { refusal } from './refusal.ts';
import type { CloudAnswer } from './rpc-wire.ts';

/** How long the address of a command is good (ECI API reference, ExecContainerCommand: HttpUrl). */
const VALID_MS = 30_000;
/** The same: Command. */
const MOST_PARTS = 20;
const LONGEST_PART = 256;

/** @throws Refusal */
const readCommand = (text: string): readonly string[] => {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    parts = undefined;
  }
  if (!Array.isArray(parts) || parts.length === 0 || !parts.every((part): part is string => typeof part === 'string'))
    throw refusal('InvalidParameter', 'Command must be a JSON array of strings.');
  if (parts.length > MOST_PARTS || parts.some(({ length }) => length > LONGEST_PART))
    throw refusal('InvalidParameter.ValueExceeded', `Command: ${MOST_PARTS} parts of ${LONGEST_PART} characters.`);
  return parts;
};

/** ExecContainerCommand: the address of a WebSocket; the command runs once somebody opens it. */
export const execContainerCommand = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const id = parameters.required('ContainerGroupId');
  const name = parameters.required('ContainerName');
  const command = readCommand(parameters.required('Command'));
  if (parameters.boolean('Sync')) throw refusal('InvalidParameter', 'Sync is not served here.');
  const group = account.containerGroups.get(id);
  if (!group) throw gone(account, id);
  const container = [...group.containers, ...group.initContainers].find((one) => one.name === name);
  if (!container) throw refusal('InvalidParameter', `ContainerName: "${name}".`);
  if (container.state !== 'Running') throw refusal('IncorrectStatus', `The container is ${container.state}.`);
  if (account.commandsAt === undefined)
    throw refusal('IncorrectStatus', 'The embedded cloud runs no commands unless it is told to.');
  const secret = account.newId('exec');
  account.commands.set(secret, {
    containerGroupId: id,
    containerName: name,
    command,
    tty: parameters.boolean('TTY'),
    // The reference: "default true".
    stdin: parameters.get('Stdin') === undefined || parameters.boolean('Stdin'),
    until: at + VALID_MS,
  });
  return { WebSocketUri: `${account.commandsAt}/exec/?s=${secret}` };
};

/** The command that an address stands for, once and in time. */
export const takeCommand = (account: Account, secret: string, at: number): PendingCommand | undefined => {
  const found = account.commands.get(secret);
  account.commands.delete(secret);
  return found && found.until >= at ? found : undefined;
};
