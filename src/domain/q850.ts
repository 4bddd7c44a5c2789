/**
 * Causes of ITU-T Q.850 that we give ourselves. Of a call that was not answered chan_pjsip makes a SIP status of the cause that it is hung up
 * with; those that are known here are said.
 */
export const CAUSE = {
  /** Unallocated number: 404. */
  unallocated: 1,
  /** Normal clearing. */
  normal: 16,
  /** User busy: 486. */
  busy: 17,
  /** No answer from the user: 480. */
  noAnswer: 19,
  /** Subscriber absent: 480. */
  absent: 20,
  /** Call rejected: 403. */
  rejected: 21,
  /** Number changed: 410. */
  changed: 22,
  /** Answered elsewhere. */
  elsewhere: 26,
  /** Invalid number format: 484. */
  malformed: 28,
  /** No circuit available: 503. */
  congestion: 34,
  /** Temporary failure. */
  failure: 41,
} as const;
