// Probot with one handler that does nothing: verifies, parses, dispatches and stores nothing.
//
//   node server.mjs PACKAGES    PACKAGES holds node_modules/probot
//
// Prints its port and serves until its input ends. The secret is that of ingest_bench.cc.
import {generateKeyPairSync} from 'node:crypto';
import {createServer} from 'node:http';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

process.env.LOG_LEVEL = 'fatal';
const require = createRequire(join(process.argv[2], 'node_modules', 'x.js'));
const {Probot, createNodeMiddleware} = await import(pathToFileURL(require.resolve('probot')).href);

const {privateKey} = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: {type: 'pkcs8', format: 'pem'},
  publicKeyEncoding: {type: 'spki', format: 'pem'},
});
const probot = new Probot({appId: 1, privateKey, secret: 'bench secret', logLevel: 'fatal'});
const app = (bot) => { bot.on('issues.labeled', () => {}); };
const middleware = createNodeMiddleware(app, {probot, webhooksPath: '/'});

const server = createServer(await middleware);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
