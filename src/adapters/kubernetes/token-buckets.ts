export interface TokenBucketOptions {
  readonly size: number;
  /** Time until one more. */
  readonly refillMs: number;
  readonly monotonic: () => number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** More than any cluster has objects that make events at once; then full buckets go. */
const MAX_BUCKETS = 10_000;

/** A token bucket a key. */
export class TokenBuckets {
  readonly #options: TokenBucketOptions;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  /** False when the key has used up its own. */
  take(key: string): boolean {
    const bucket = this.#filled(key);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #filled(key: string): Bucket {
    const { size, refillMs, monotonic } = this.#options;
    const now = monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: size, at: now };
    bucket.tokens = Math.min(size, bucket.tokens + (now - bucket.at) / refillMs);
    bucket.at = now;
    // Re-inserted, so that the first is the one that was idle longest.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_BUCKETS && oldest !== undefined) this.#buckets.delete(oldest);
    return bucket;
  }
}
