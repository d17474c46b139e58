/**
 * Milliseconds since the epoch as a Kubernetes MicroTime: RFC 3339 with exactly six fractional digits. The API server
 * answers 400 ("cannot parse ".482Z" as ".000000"") to a time with three (kubernetes/apimachinery, micro_time.go).
 */
export const microTime = (epochMs: number): string => `${new Date(Math.floor(epochMs)).toISOString().slice(0, -1)}000Z`;
