/** At most a tenth of all requests may be retries (contract §6), plus a small reserve for quiet times. */

const EARNED_PER_REQUEST = 0.1;
const RESERVE = 10;

export interface RetryBudget {
  /** One first attempt. */
  earn(): void;
  /** True when a retry is within the budget; it is then paid for. */
  spend(): boolean;
}

export function createRetryBudget(): RetryBudget {
  let retries = RESERVE;
  return {
    earn() {
      retries = Math.min(RESERVE, retries + EARNED_PER_REQUEST);
    },
    spend() {
      if (retries < 1) return false;
      retries -= 1;
      return true;
    },
  };
}
