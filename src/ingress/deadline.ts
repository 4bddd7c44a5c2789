import { ExpectedError } from "../domain/errors.ts";

/**
 * The result, or `Unavailable` when it takes longer. What was begun goes on: nobody may tell later whether a statement that was given
 * up came through, so it is left to end by itself.
 */
export function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new ExpectedError("Unavailable", `no answer within ${milliseconds} ms`)), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
