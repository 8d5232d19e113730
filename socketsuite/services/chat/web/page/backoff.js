// How long to wait before the next attempt to connect: longer each time, never in step with others.

export const SHORTEST = 1000;
export const LONGEST = 30000;

// Return milliseconds; *attempt* counts from 0, *random* returns a number from 0 to below 1.
export function delay(attempt, random = Math.random) {
  const most = Math.min(LONGEST, SHORTEST * 2 ** Math.min(attempt, 10));
  return Math.max(SHORTEST, Math.round(most / 2 + (most / 2) * random()));
}
