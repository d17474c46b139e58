import type { IncomingMessage } from 'node:http';
import { decodedSegment, Refusal } from '../kubelet-refusal.ts';
import type { NamedPod } from './stream-target.ts';

/** What a request for streams is for. */
export interface StreamRequest {
  readonly kind: 'exec' | 'attach' | 'portForward';
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
 * Only SPDY/3.1 is spoken. That is what arrives from the API servers of Kubernetes 1.30 to 1.36, whatever their clients
 * speak: they translate WebSockets themselves (TranslateStreamCloseWebsocketRequests, 1.30; PortForwardWebsockets,
 * 1.31). From 1.36 on they leave it to a kubelet whose Node declares the feature ExtendWebSocketsToKubelet, as this one
 * does not (pkg/registry/core/pod/rest/subresources.go). Only the WebSocket protocols before v5, which kubectl never
 * spoke, are passed on as they are.
 *
 * @throws Refusal
 */
export const streamRequestOf = ({ url = '/', method, headers }: IncomingMessage): StreamRequest => {
  const wanted = wantedBy(url);
  if (method !== 'POST' && method !== 'GET') throw new Refusal(405, 'Method not allowed');
  if (headers.upgrade?.toLowerCase() !== 'spdy/3.1')
    throw new Refusal(
      400,
      `unable to upgrade: this kubelet speaks SPDY/3.1, not ${JSON.stringify(headers.upgrade?.slice(0, 40) ?? '')}; ` +
        'clients that speak WebSocket have to know v5.channel.k8s.io, which API servers translate',
    );
  const offered = [headers['x-stream-protocol-version'] ?? []].flat();
  return { ...wanted, protocols: offered.flatMap((value) => value.split(',').map((each) => each.trim())) };
};

/** What the path and the query say. @throws Refusal */
const wantedBy = (url: string): Omit<StreamRequest, 'protocols'> => {
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
