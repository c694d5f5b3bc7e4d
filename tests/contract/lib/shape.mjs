// Compares the shape of a payload that we send with payloads that the real forge sent: every field of ours
// must exist there, with a JSON type seen there. Fields that we leave out are fine (a parser must bear it).

const typeOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/// path -> set of types, over all samples; array elements share the path "[]".
export function shapeOf(samples) {
  const shape = new Map();
  const walk = (value, at) => {
    const type = typeOf(value);
    if (!shape.has(at)) shape.set(at, new Set());
    shape.get(at).add(type);
    if (type === 'array') value.forEach((v) => walk(v, `${at}[]`));
    if (type === 'object') for (const [key, v] of Object.entries(value)) walk(v, `${at}.${key.trim()}`);
  };
  samples.forEach((sample) => walk(sample, ''));
  return shape;
}

/// Human-readable differences; an empty list means that the payload could have come from the real forge.
/// Where every sample is null or empty nothing is known, and nothing is said.
export function differences(payload, shape) {
  const found = [];
  const walk = (value, at) => {
    const known = shape.get(at);
    if (!known) return found.push(`${at}: the real forge sends no such field`);
    const type = typeOf(value);
    const unknown = known.size === 1 && known.has('null');
    if (!known.has(type) && type !== 'null' && !unknown) {
      found.push(`${at}: ${type}, where the real forge sends ${[...known].join(' or ')}`);
      return undefined;
    }
    if (type === 'array' && shape.has(`${at}[]`)) value.forEach((v) => walk(v, `${at}[]`));
    if (type === 'object' && known.has('object')) {
      for (const [key, v] of Object.entries(value)) walk(v, `${at}.${key}`);
    }
    return undefined;
  };
  walk(payload, '');
  return [...new Set(found)];
}
