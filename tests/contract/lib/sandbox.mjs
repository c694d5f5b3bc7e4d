// Starts bin/swage-sandbox and reads the one line of JSON that it prints: where it listens, who exists.
// It ends when its stdin closes, so it cannot outlive the script, however the script ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export async function startSandbox(dialect, ...extra) {
  const binary = process.env.SWAGE_SANDBOX;
  if (!binary) throw new Error('SWAGE_SANDBOX must name the swage-sandbox executable');
  const child = spawn(binary, ['--dialect', dialect, '--port', '0', ...extra], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    ended.then(([code]) => Promise.reject(new Error(`swage-sandbox ended with ${code}`))),
  ]);
  return {
    ...JSON.parse(line),
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
