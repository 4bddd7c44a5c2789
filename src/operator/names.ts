import { API } from "../domain/resources.ts";

/** Owner of the status fields that we apply, and what Events name as their origin. */
export const FIELD_MANAGER = "dialplane-operator";
export const CONTROLLER = `${API.group}/operator`;

/** On pools only: their numbers and history outlive the object unless cleaned up (docs/decisions/0011). */
export const POOL_FINALIZER = `${API.group}/numbers`;
