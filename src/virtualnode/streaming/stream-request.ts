import type { IncomingMessage } from 'node:http';
import { decodedSegment, Refusal } from '../kubelet-refusal.ts';
import type { SessionKind } from './session-outcome.ts';
import type { NamedPod } from './stream-target.ts';

/** What a request for streams is for. */
export interface StreamRequest {
  readonly kind: SessionKind;
  readonly transport: 'spdy' | 'websocket';
  readonly pod: NamedPod;
  /** "" for port-forward. */
  readonly containerName: string;
  readonly query: URLSearchParams;
  /** The versions of the protocol that the client knows; which it likes best comes first. */
  readonly protocols: readonly string[];
}

const KINDS = new Set(['exec', 'attach', 'portForward']);

/**
 * The paths of a kubelet (kubernetes pkg/kubelet/server/server.go, InstallDebuggingHandlers):
 * `/exec/{namespace}/{pod}[/{uid}]/{container}`, the same for attach, and `/portForward/{namespace}/{pod}[/{uid}]`.
 *
 * What arrives of `kubectl` from the API servers of Kubernetes 1.30 to 1.36 is SPDY/3.1, whatever it speaks: they
 * translate `v5.channel.k8s.io` (TranslateStreamCloseWebsocketRequests, 1.30) and `SPDY/3.1+portforward.k8s.io`
 * (PortForwardWebsockets, 1.31) themselves. From 1.36 on they leave it to a kubelet whose Node declares the feature
 * ExtendWebSocketsToKubelet, as this one does not (pkg/registry/core/pod/rest/subresources.go). Every other WebSocket
 * is passed on as it is: exec of clients that do not know v5, and port-forward of all that do not tunnel SPDY.
 *
 * @throws Refusal
 */
export const streamRequestOf = ({ url = '/', method, headers }: IncomingMessage): StreamRequest => {
  const wanted = wantedBy(url);
  if (method !== 'POST' && method !== 'GET') throw new Refusal(405, 'Method not allowed');
  const upgrade = headers.upgrade?.toLowerCase();
  if (upgrade === 'websocket') {
    if (method !== 'GET') throw new Refusal(405, 'Method not allowed');
    const key = headers['sec-websocket-key'] ?? '';
    if (key.length !== 24 || headers['sec-websocket-version'] !== '13')
      throw new Refusal(400, 'unable to upgrade: this is no handshake of WebSocket 13 (RFC 6455)');
    return { ...wanted, transport: 'websocket', protocols: namesIn(headers['sec-websocket-protocol'] ?? '') };
  }
  if (upgrade !== 'spdy/3.1')
    throw new Refusal(
      400,
      `unable to upgrade: this kubelet speaks SPDY/3.1 and WebSocket, not ${JSON.stringify(headers.upgrade?.slice(0, 40) ?? '')}`,
    );
  const offered = [headers['x-stream-protocol-version'] ?? []].flat();
  return { ...wanted, transport: 'spdy', protocols: offered.flatMap(namesIn) };
};

const namesIn = (header: string): string[] => header.split(',').map((each) => each.trim());

/**
 * The ports that a WebSocket is to lead to: `port=80,8080` (cri-streaming, NewV4Options).
 *
 * @throws Refusal
 */
export const portsOf = ({ query }: StreamRequest, most: number): readonly number[] => {
  const texts = query.getAll('port').flatMap(namesIn);
  const ports = texts.map((text) => (/^\d{1,5}$/.test(text) ? Number(text) : 0));
  if (ports.length === 0) throw new Refusal(400, 'query parameter "port" is required');
  if (ports.length > most)
    throw new Refusal(400, `query parameter "port" names ${ports.length} ports, and ${most} are the most`);
  const wrong = ports.findIndex((port) => port < 1 || port > 65_535);
  if (wrong >= 0) throw new Refusal(400, `unable to parse ${JSON.stringify(texts[wrong]?.slice(0, 40))} as a port`);
  return ports;
};

/** What the path and the query say. @throws Refusal */
const wantedBy = (url: string): Omit<StreamRequest, 'protocols' | 'transport'> => {
  const parsed = url.startsWith('/') ? URL.parse(`https://kubelet${url}`) : null;
  const [, kind = '', namespace = '', name = '', ...rest] = (parsed?.pathname ?? '').split('/').map(decodedSegment);
  const containerName = kind === 'portForward' ? '' : (rest.pop() ?? '');
  const [uid, ...more] = rest;
  const isWhole = name !== '' && more.length === 0 && (kind === 'portForward' || containerName !== '');
  if (!parsed || !isKind(kind) || !isWhole)
    throw new Refusal(404, 'There is only /exec, /attach and /portForward that is upgraded');
  return { kind, pod: { namespace, name, uid }, containerName, query: parsed.searchParams };
};

const isKind = (kind: string): kind is StreamRequest['kind'] => KINDS.has(kind);

/** Which version is spoken. @throws Refusal */
export const protocolOf = ({ protocols }: StreamRequest, known: readonly string[]): string => {
  const found = protocols.find((each) => known.includes(each));
  if (found !== undefined) return found;
  const offered = protocols.map((each) => each.slice(0, 40)).join(', ');
  throw new Refusal(
    403,
    `unable to upgrade: unable to negotiate protocol: client supports [${offered}], server accepts [${known.join(', ')}]`,
  );
};
