// Spans on the wire count Unicode code points; strings here count UTF-16 units.

/** From a place in code points to the same place in units of `text`. */
export function unitsOf(text) {
  const pairs = []; // the code points, by place, that take two units
  let place = 0;
  for (const character of text) {
    if (character.length === 2) pairs.push(place);
    place += 1;
  }
  if (pairs.length === 0) return (at) => at;
  return (at) => at + countBelow(pairs, at);
}

/** How many of the ascending numbers are below `limit`. */
function countBelow(numbers, limit) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lines of `text` as spans in units, without their line breaks. */
export function linesOf(text) {
  const lines = [];
  let start = 0;
  for (;;) {
    const end = text.indexOf("\n", start);
    lines.push({ start, end: end < 0 ? text.length : end });
    if (end < 0) return lines;
    start = end + 1;
  }
}

/** The index of the line that holds `place`. */
export function lineAt(lines, place) {
  let [low, high] = [0, lines.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lines[middle].start <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Cuts `[start, end)` wherever a span begins or ends; gives each piece with the spans that it lies in. */
export function pieces(start, end, spans) {
  const inside = spans.filter((span) => span.start < end && span.end > start);
  const cuts = new Set([start, end]);
  for (const span of inside) {
    cuts.add(Math.max(start, span.start));
    cuts.add(Math.min(end, span.end));
  }
  const edges = [...cuts].sort((a, b) => a - b);
  return edges.slice(1).map((to, i) => ({
    start: edges[i],
    end: to,
    spans: inside.filter((span) => span.start <= edges[i] && span.end >= to),
  }));
}
