// Server-sent events by fetch: EventSource can't send the header that carries the key.

const PATIENCE = 40000; // without a byte for so long (heartbeats come every 15 s) the connection is taken for dead
const LONGEST = 15000;

// Calls told(data) for every event until signal aborts. state(name, detail): connecting, live, lost, key.
export async function follow(path, key, told, state, signal) {
  let pause = 500;
  while (!signal.aborted) {
    let reason = "the connection ended";
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    try {
      const headers = key() ? { "X-API-Key": key() } : {};
      const answer = await fetch(path, { headers, signal: attempt.signal, cache: "no-store" });
      if (answer.status === 401) return state("key");
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      state("live");
      await read(answer.body, stop, (data) => {
        pause = 500;
        told(JSON.parse(data));
      });
    } catch (error) {
      reason = error.name === "AbortError" ? "nothing came for a while" : error.message;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    const wait = pause * (0.75 + Math.random() / 2); // so that the pages of a restarted server don't all come at once
    state("lost", `${reason}; trying again`);
    await new Promise((done) => setTimeout(done, wait));
    pause = Math.min(2 * pause, LONGEST);
  }
}

async function read(body, stop, told) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  let watch = setTimeout(stop, PATIENCE);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(stop, PATIENCE);
      const parts = (left + value).split("\n\n");
      left = parts.pop();
      for (const part of parts) {
        const data = part.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
        if (data.length) told(data.join("\n"));
      }
    }
  } finally {
    clearTimeout(watch);
  }
}
