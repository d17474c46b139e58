/** One call by name; `query` is flat, as on the wire. Resolves and rejects as the SDK does. */
export type NamedCall = (action: string, query: Readonly<Record<string, string>>) => Promise<unknown>;
