export type Again = 'done' | 'now' | 'backoff' | { readonly afterMs: number };
