import type pg from "pg";
import type { Logger, NumberClaims, OperatorStore, Presence, Prospects, PushBus, Records, RouterStore, Term } from "../../domain/ports.ts";
import { applyDesired } from "./apply.ts";
import { readCallContext, readCallContexts } from "./call-context.ts";
import { claimNumbers } from "./claim-numbers.ts";
import { identifyPerson, prospectOfPerson } from "./identify-person.ts";
import { listen } from "./listener.ts";
import { readPods, removePod, reportPod } from "./pods.ts";
import { cleanUpRemains } from "./pool-remains.ts";
import { markOffline, markOnline } from "./presence.ts";
import { eraseCaller, eraseProspect, leavePerson } from "./prospects.ts";
import { pushBus } from "./push-bus.ts";
import { countLiveCalls, readCall, readCalls } from "./read-calls.ts";
import { releaseNumbers } from "./release-numbers.ts";
import { recordWriter, saveServedCalls } from "./save-call.ts";
import { readLostCalls, readOpenCalls } from "./read-calls.ts";
import { readRevision } from "./revision.ts";
import { readChanges, readDialplan, readDialplanHash, readSnapshot } from "./snapshot.ts";
import { keepSeats, leaveSeat, takeSeat } from "./seats.ts";
import { readTotals } from "./totals.ts";
import { nextTurn } from "./turns.ts";

export interface Stores {
  readonly claims: NumberClaims;
  readonly prospects: Prospects;
  readonly presence: Presence;
  readonly pushes: PushBus;
  readonly router: RouterStore;
  readonly operator: OperatorStore;
  readonly records: Records;
}

/** A database: by its pool, and by its address for connections that listen. */
export interface Connected {
  readonly pool: pg.Pool;
  readonly url: string;
  readonly logger: Logger;
}

/** Everything that the apps need of Postgres, over one pool; notifications take a connection of their own each. */
export function createStores(pool: pg.Pool, url: string, logger: Logger): Stores {
  return {
    claims: {
      claim: (requests) => claimNumbers(pool, requests),
      release: (keys, by) => releaseNumbers(pool, keys, by),
    },
    prospects: {
      identify: (input) => identifyPerson(pool, input),
      leave: (device) => leavePerson(pool, device),
      erase: (prospect) => eraseProspect(pool, prospect),
      eraseCaller: (caller) => eraseCaller(pool, caller),
      ofPerson: (person) => prospectOfPerson(pool, person),
    },
    presence: {
      heartbeat: (devices, ttlSeconds) => markOnline(pool, devices, ttlSeconds),
      offline: (devices, heardUntil) => markOffline(pool, devices, heardUntil),
    },
    pushes: pushBus(pool, url, logger),
    router: routerStore(pool, url, logger),
    operator: operatorStore({ pool, url, logger }),
    records: {
      calls: (filter, page) => readCalls(pool, filter, page),
      call: (id) => readCall(pool, id),
      liveCalls: () => countLiveCalls(pool),
      totals: () => readTotals(pool),
    },
  };
}

/**
 * @param term of a leading operator: writes nothing once it is over
 * @param looks short statements that are made now and then, on connections that may be given up sooner than those of long writes
 */
export function operatorStore({ pool, url, logger }: Connected, term?: Term, looks = pool): OperatorStore {
  return {
    apply: (desired, known) => applyDesired(pool, desired, { known, term }),
    cleanUp: (signal) => cleanUpRemains(looks, signal),
    totals: (keys) => readTotals(looks, keys),
    pods: () => readPods(looks),
    onPods: (listener) => listen({ url, channel: "dialplane_pods", logger, onNotification: listener, onConnected: listener }),
  };
}

function routerStore(pool: pg.Pool, url: string, logger: Logger): RouterStore {
  return {
    revision: () => readRevision(pool),
    snapshot: () => readSnapshot(pool),
    changes: (since) => readChanges(pool, since),
    dialplan: () => readDialplan(pool),
    dialplanHash: () => readDialplanHash(pool),
    reportPod: (report) => reportPod(pool, report),
    removePod: (pod) => removePod(pool, pod),
    callContext: (question) => readCallContext(pool, question),
    nextTurn: (rule) => nextTurn(pool, rule),
    callContexts: (questions) => readCallContexts(pool, questions),
    saveCall: recordWriter(pool),
    saveServedCalls: (records) => saveServedCalls(pool, records),
    openCalls: (pod, receivedBefore, ids) => readOpenCalls(pool, { pod, receivedBefore, ids }),
    lostCalls: () => readLostCalls(pool),
    takeSeat: (seat) => takeSeat(pool, seat),
    keepSeats: (channels) => keepSeats(pool, channels),
    leaveSeat: (channel) => leaveSeat(pool, channel),
    onChange: (listener) => listen({ url, channel: "dialplane_revision", logger, onNotification: listener, onConnected: listener }),
  };
}
