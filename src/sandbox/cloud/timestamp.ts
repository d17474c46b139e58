/** A time as the APIs write it: UTC, without fractions, `YYYY-MM-DDThh:mm:ssZ`. */
export const cloudTimestamp = (epochMs: number): string => new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
