// The page's side of its worker: one job at a time, a newer one ends the older.

/** `start(kind, state, onmessage)` starts a job; `end()` ends it. */
export function client() {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  let id = 0,
    listener = null;
  worker.onmessage = ({ data }) => {
    if (data.id === id) listener?.(data);
  };
  worker.onerror = (event) => listener?.({ error: event.message ?? "the worker did not start" });
  return {
    start(kind, state, onmessage) {
      id += 1;
      listener = onmessage;
      worker.postMessage({ id, kind, state });
    },
    end() {
      id += 1;
      listener = null;
      worker.postMessage({ id, kind: "nothing" });
    },
  };
}
