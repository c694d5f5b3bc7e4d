// Imports a package from the directory that `install` made: the sources hold no node_modules.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const packages = process.env.SWAGE_NODE;
if (!packages) throw new Error('SWAGE_NODE must name the directory printed by tests/contract/install');
const resolver = createRequire(path.join(packages, 'package.json'));

export const load = (name) => import(pathToFileURL(resolver.resolve(name)).href);
export const readJson = (name) => resolver(name);
export const packageFile = (relative) => path.join(packages, 'node_modules', relative);
