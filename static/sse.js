// Reads a stream of server-sent events from a fetch response. (EventSource can only GET.)

/**
 * Yields {id, event, data} with data parsed from JSON; id is the last one that the stream gave. Comments and events
 * without data are skipped.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* readEvents(response) {
  let id = "";
  let event = "";
  let data = [];
  for await (const line of readLines(response.body)) {
    if (line === "") {
      if (data.length) yield { id, event: event || "message", data: JSON.parse(data.join("\n")) };
      event = "";
      data = [];
      continue;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === "event") event = value ?? "";
    else if (field === "data") data.push(value ?? "");
    else if (field === "id") id = value ?? "";
  }
}

async function* readLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n/);
    rest = lines.pop();
    yield* lines;
  }
}
