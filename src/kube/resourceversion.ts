/**
 * Which of two resource versions is newer: negative, zero or positive as in a sort, undefined where they cannot be
 * compared. API servers that are backed by etcd hand out decimal numbers that only grow; KEP-5504 ("Comparable Resource
 * Version") makes it a promise. Anything else is opaque, as the API conventions have it.
 */
export const compareResourceVersions = (left: string, right: string): number | undefined => {
  if (left === right) return 0;
  if (!NUMBER.test(left) || !NUMBER.test(right)) return undefined;
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : 1;
};

const NUMBER = /^(?:0|[1-9]\d{0,39})$/;
