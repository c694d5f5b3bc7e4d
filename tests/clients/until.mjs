// Waiting: for a state, never for a time. Only a broken build reaches the limit.
import { setTimeout as pause } from 'node:timers/promises';

const kLimitMs = 90_000;
const kLookMs = 250;
// Looking is not what the machine is for: of the time, so little goes into it.
const kRestPerLook = 8;

/// The first truthy answer of `look`. What it throws ends the waiting.
export async function until(what, look) {
  const end = performance.now() + kLimitMs;
  for (;;) {
    const begun = performance.now();
    const found = await look();
    if (found) return found;
    const now = performance.now();
    if (now > end) throw new Error(`waited in vain: ${what}`);
    await pause(Math.max(kLookMs, kRestPerLook * (now - begun)));
  }
}

/// Until `check` throws no more; its last complaint is the reason.
export async function untilHolds(check) {
  let complaint;
  await until('that it holds', () => check().then(() => true, (error) => {
    complaint = error;
    return false;
  })).catch(() => { throw complaint; });
}
