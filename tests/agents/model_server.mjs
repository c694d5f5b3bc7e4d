// A scripted model behind a loopback server, for tests with real agent commands.
//
//   node model_server.mjs PORT_FILE [LOG_FILE]
//
// With SWAGE_TEST_MODEL_TLS=DIRECTORY (model.pem and model.key in it) also with TLS, on the port in PORT_FILE.tls.
// Speaks as much of four protocols as the commands that use them need, all streamed as server-sent events:
// Responses (codex), Chat Completions (opencode), Messages (claude) and generateContent (gemini). What it answers depends on what the conversation holds and
// never on how many requests came before, because agents ask for titles and retry as they like:
//   - a conversation that holds the result of the edit gets a closing sentence;
//   - one that offers a shell tool and speaks of the demo's issue gets the edit, as a shell command;
//   - everything else gets a sentence.
// Writes its port to PORT_FILE when it listens. Ends with its parent's stdin.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const [portFile, logFile] = process.argv.slice(2);
const kMaxBody = 8 << 20;
const kEdit = "sed -i -e 's|static_cast<std::int64_t>(\\*number) \\* unit|std::llround(*number * static_cast<double>(unit))|' " +
  "-e 's|#include <charconv>|#include <charconv>\\n#include <cmath>|' src/duration.cc && echo edited";
const kClosing = 'I multiply before rounding now, so the fraction of an amount counts. (Scripted model.)';
const kCallId = 'call_scripted_edit';
const kUsage = { input: 321, output: 45 };

const describedCommand = (command) => ({ command, description: 'Multiply before rounding' });
// How the agents name their shell, and what it takes.
const kShellTools = {
  exec_command: (cmd) => ({ cmd }),
  shell_command: (cmd) => ({ command: cmd }),
  shell: (cmd) => ({ command: ['bash', '-c', cmd] }),
  bash: describedCommand,
  Bash: describedCommand,
  run_shell_command: describedCommand,
};

function nextStep(text, toolNames) {
  const tool = toolNames.find((name) => name in kShellTools);
  if (text.includes(`"${kCallId}"`)) return { say: kClosing };
  if (tool && /ParseDuration/.test(text) && /fraction/.test(text)) {
    return { call: tool, args: JSON.stringify(kShellTools[tool](kEdit)) };
  }
  return { say: 'I am a scripted model and know only one issue.' };
}

function responsesEvents(request) {
  const text = JSON.stringify(request.input ?? []);
  const step = nextStep(text, (request.tools ?? []).map((t) => t.name).filter(Boolean));
  const item = step.call
    ? { type: 'function_call', id: 'fc_1', call_id: kCallId, name: step.call, arguments: step.args, status: 'completed' }
    : { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed',
        content: [{ type: 'output_text', text: step.say, annotations: [] }] };
  const response = { id: 'resp_1', object: 'response', status: 'completed', output: [item],
    usage: { input_tokens: kUsage.input, input_tokens_details: { cached_tokens: 0 },
      output_tokens: kUsage.output, output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: kUsage.input + kUsage.output } };
  return [
    { type: 'response.created', response: { id: 'resp_1', object: 'response', status: 'in_progress' } },
    { type: 'response.output_item.added', output_index: 0, item },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response },
  ].map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`);
}

function chatEvents(request) {
  const text = JSON.stringify(request.messages ?? []);
  const step = nextStep(text, (request.tools ?? []).map((t) => t.function?.name).filter(Boolean));
  const chunk = (delta, finish_reason = null, extra = {}) => ({ id: 'chat_1', object: 'chat.completion.chunk',
    created: 0, model: request.model, choices: [{ index: 0, delta, finish_reason }], ...extra });
  const usage = { usage: { prompt_tokens: kUsage.input, completion_tokens: kUsage.output,
    total_tokens: kUsage.input + kUsage.output } };
  const chunks = step.call
    ? [chunk({ role: 'assistant', tool_calls: [{ index: 0, id: kCallId, type: 'function',
        function: { name: step.call, arguments: step.args } }] }), chunk({}, 'tool_calls', usage)]
    : [chunk({ role: 'assistant', content: step.say }), chunk({}, 'stop', usage)];
  return [...chunks.map((c) => `data: ${JSON.stringify(c)}\n\n`), 'data: [DONE]\n\n'];
}

function messagesEvents(request) {
  const text = JSON.stringify(request.messages ?? []);
  const step = nextStep(text, (request.tools ?? []).map((t) => t.name).filter(Boolean));
  const block = step.call ? { type: 'tool_use', id: kCallId, name: step.call, input: {} } : { type: 'text', text: '' };
  const delta = step.call ? { type: 'input_json_delta', partial_json: step.args } : { type: 'text_delta', text: step.say };
  return [
    { type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model: request.model,
      content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: kUsage.input, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: step.call ? 'tool_use' : 'end_turn', stop_sequence: null },
      usage: { output_tokens: kUsage.output } },
    { type: 'message_stop' },
  ].map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`);
}

function geminiEvents(request) {
  const text = JSON.stringify(request.contents ?? []);
  const names = (request.tools ?? []).flatMap((t) => (t.functionDeclarations ?? []).map((f) => f.name));
  const step = nextStep(text, names);
  const part = step.call ? { functionCall: { id: kCallId, name: step.call, args: JSON.parse(step.args) } } : { text: step.say };
  return [`data: ${JSON.stringify({ candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: kUsage.input, candidatesTokenCount: kUsage.output, totalTokenCount: kUsage.input + kUsage.output } })}\r\n\r\n`];
}

const kProtocols = [
  [/\/responses$/, responsesEvents],
  [/\/chat\/completions$/, chatEvents],
  [/\/v1\/messages(\?|$)/, messagesEvents],
  [/:streamGenerateContent(\?|$)/, geminiEvents],
];

function answer(request, body, response) {
  if (logFile) fs.appendFileSync(logFile, `${request.method} ${request.url} ${body.length}\n`);
  const [, events] = kProtocols.find(([path]) => path.test(request.url)) ?? [];
  if (request.method !== 'POST' || !events) {
    response.writeHead(request.url.endsWith('/models') ? 200 : 404, { 'content-type': 'application/json' });
    return response.end(JSON.stringify({ object: 'list', data: [], models: [] }));
  }
  let parsed;
  try {
    parsed = JSON.parse(body);
  } catch {
    response.writeHead(400);
    return response.end();
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  for (const event of events(parsed)) response.write(event);
  response.end();
}

function take(request, response) {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (piece) => {
    body += piece;
    if (body.length > kMaxBody) request.destroy();
  });
  request.on('end', () => answer(request, body, response));
}

function listen(server, file, then) {
  server.listen(0, '127.0.0.1', () => {
    fs.writeFileSync(file, String(server.address().port));
    then();
  });
}
const tls = process.env.SWAGE_TEST_MODEL_TLS;
const plain = () => listen(http.createServer(take), portFile, () => {});
if (tls) {
  const pair = { cert: fs.readFileSync(`${tls}/model.pem`), key: fs.readFileSync(`${tls}/model.key`) };
  listen(https.createServer(pair, take), `${portFile}.tls`, plain);
} else {
  plain();
}
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
