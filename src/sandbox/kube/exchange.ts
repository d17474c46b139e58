/** One request. `path` has the query; the names of `headers` are in lower case. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The answer. A body that is iterated is a watch: a line for each event, as it happens. */
export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Values of the header `Warning`, each in a line of its own. */
  readonly warnings?: readonly string[] | undefined;
  readonly body: string | AsyncIterable<string>;
}
