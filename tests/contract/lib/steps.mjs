// A script is a list of steps over shared state; each step says what a user of the client would expect.
//
// Prints one line per step and, at the end, "N passed, M failed, K skipped". After a failed step the later
// ones still run: most stand on their own, and the first failure is printed first.
export class Steps {
  passed = 0;
  failed = 0;
  skipped = 0;

  constructor(title) {
    console.log(`== ${title}`);
  }

  async step(what, act) {
    try {
      await act();
      this.passed += 1;
      console.log(`ok      ${what}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED  ${what}\n        ${explain(error)}`);
    }
  }

  skip(what, why) {
    this.skipped += 1;
    console.log(`skipped ${what}: ${why}`);
  }

  finish() {
    console.log(`${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`);
    return this.failed === 0 ? 0 : 1;
  }
}

function explain(error) {
  const where = (error.stack ?? '').split('\n').find((line) => line.includes('_script.mjs'));
  const message = String(error.message ?? error).split('\n').slice(0, 40).join('\n        ');
  return where ? `${message}\n       ${where}` : message;
}

/// Runs a call that must be refused and returns the HTTP status and the words of the refusal.
export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    const status = error.status ?? error.cause?.response?.status;
    if (status === undefined) throw error;
    return { status, text: [error.message, error.cause?.description].filter(Boolean).join(' ') };
  }
  throw new Error('the call was accepted, but it must be refused');
}
