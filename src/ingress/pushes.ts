import { messageOf } from "../domain/errors.ts";
import type { DevicePush, Logger, PushBus } from "../domain/ports.ts";

/** Tells other devices what they show now. A push that fails costs nothing but time: a device that asks gets the same answer. */
export async function tell({ pushes: bus, logger }: { readonly pushes: PushBus; readonly logger: Logger }, pushes: readonly DevicePush[]): Promise<void> {
  if (pushes.length === 0) return;
  try {
    await bus.publish(pushes);
  } catch (error) {
    logger.warn({ reason: messageOf(error), pushes: pushes.length }, "other devices could not be told");
  }
}
