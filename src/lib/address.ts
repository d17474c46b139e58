/** A host and a port, as in `0.0.0.0:8080`, `localhost:80` or `[::1]:8080`. */
export interface HostPort {
  /** A DNS name, an IPv4 address, or an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
}

/** Where an HTTP API is reached. */
interface Endpoint {
  readonly protocol: 'http' | 'https';
  /** As in {@link HostPort}. */
  readonly host: string;
  /** Undefined for the protocol's own port. */
  readonly port: number | undefined;
}

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const AUTHORITY = new RegExp(String.raw`^(?:\[([0-9A-Fa-f:.]{2,45})\]|(${LABEL}(?:\.${LABEL})*))(?::(\d{1,5}))?$`);

/** The longest DNS name, RFC 1035 §2.3.4. */
const LONGEST_NAME = 253;

/** Longest text that is looked at: a name, a scheme before it, and brackets and a port around it. */
const LONGEST = LONGEST_NAME + 20;

const parseAuthority = (text: string): { host: string; port: number | undefined } | undefined => {
  if (text.length > LONGEST) return undefined;
  const [, v6, name, digits] = AUTHORITY.exec(text) ?? [];
  const host = v6 ?? name;
  if (host === undefined || host.length > LONGEST_NAME || (v6 !== undefined && !URL.canParse(`http://[${v6}]`)))
    return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  return port !== undefined && port > 65_535 ? undefined : { host, port };
};

/** Reads `host:port`. Port 0 asks the operating system for a free one. Undefined where the text is something else. */
export const parseHostPort = (text: string): HostPort | undefined => {
  const authority = parseAuthority(text);
  return authority?.port === undefined ? undefined : { host: authority.host, port: authority.port };
};

/** Reads `host`, `host:port`, `http://host[:port]` or `https://host[:port]`; nothing else: no path, no user. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const scheme = ['http', 'https'].find((each) => text.startsWith(`${each}://`));
  const rest = scheme === undefined ? text : text.slice(`${scheme}://`.length);
  const authority = parseAuthority(rest);
  if (!authority || authority.port === 0) return undefined;
  return { protocol: scheme === 'http' ? 'http' : 'https', ...authority };
};
