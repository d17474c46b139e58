import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Services } from './services.ts';

const TYPE_A = 1;
const NAME_ERROR = 3;
/** Response, authoritative, recursion available. */
const ANSWER_FLAGS = 0x8480;

/** The name of a question, and where it ends. */
const readName = (message: Buffer): { name: string; end: number } => {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('ascii', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
};

/** Cluster IP of NAME.NAMESPACE.svc.cluster.local. */
const resolve = ({ services }: Services, name: string): string | undefined => {
  const [service, namespace, kind, ...domain] = name.split('.');
  if (kind !== 'svc' || domain.join('.') !== 'cluster.local') return undefined;
  const clusterIP = services.store.get(`${namespace}/${service}`)?.spec.clusterIP;
  return clusterIP === 'None' ? undefined : clusterIP;
};

/** Answers one question. Only A records are there; of a name that is known other types are empty. */
const answer = (services: Services, question: Buffer): Buffer => {
  const { name, end } = readName(question);
  const address = resolve(services, name);
  const type = question.readUInt16BE(end);
  const header = Buffer.alloc(12);
  question.copy(header, 0, 0, 2);
  header.writeUInt16BE(ANSWER_FLAGS | (address === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(1, 4);
  const asked = question.subarray(12, end + 4);
  if (address === undefined || type !== TYPE_A) return Buffer.concat([header, asked]);
  header.writeUInt16BE(1, 6);
  // A pointer to the name, type A, class IN, 5 s to live, 4 bytes.
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split('.').map(Number)]);
  return Buffer.concat([header, asked, record]);
};

/** Stand-in for the cluster's DNS: names of Services with a cluster IP. */
export const runDns = async (services: Services, host: string, signal: AbortSignal): Promise<void> => {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => socket.send(answer(services, message), port, address));
  socket.bind(53, host);
  await once(socket, 'listening');
  signal.addEventListener('abort', () => socket.close());
};
