import { createServer } from 'node:http';
import { HTTP } from 'cloudevents';

/** The addresses that may pass, by EIP: here a map, in earnest the rules of a firewall or the records of a zone. */
const allowed = new Map();
/** The number of the last event of each source. What comes again, or too late, has none that is higher. */
const last = new Map();

const take = ({ type, source, sequence, eipid, eipaddress, reason }) => {
  if (sequence <= (last.get(source) ?? '')) return;
  last.set(source, sequence);
  if (type.endsWith('.eip.associated.v1')) allowed.set(eipid, eipaddress);
  // The same EIP is bound again in a moment: its entry stays.
  else if (type.endsWith('.eip.disassociated.v1') && !['HandedOver', 'Moved'].includes(reason)) allowed.delete(eipid);
};

const answer = async (request, response) => {
  if (request.method === 'GET') return response.end([...allowed.values(), ''].join('\n'));
  try {
    take(HTTP.toEvent({ headers: request.headers, body: await new Response(request).text() }));
    response.writeHead(204).end();
  } catch {
    // 4xx: it will never be understood, so that the sender need not try again.
    response.writeHead(400).end();
  }
};

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST, () => {
  process.stdout.write(`Listening on port ${server.address().port}\n`);
});
