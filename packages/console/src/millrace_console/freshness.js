// A page that the console no longer speaks to says so, and its numbers fade: nothing old is shown as new.
(() => {
  const QUIET_MS = 3000;
  let heard = null; // a page that is not live, such as the sign-in, never is
  window.millrace = {
    heard: () => {
      heard = Date.now();
      document.body?.classList.remove("quiet");
    },
  };
  setInterval(() => {
    if (heard === null || Date.now() - heard < QUIET_MS) return;
    if (!document.body.classList.contains("quiet")) {
      const since = document.getElementById("quiet-since");
      if (since) since.textContent = new Date(heard).toLocaleTimeString();
    }
    document.body.classList.add("quiet");
  }, 500);
  // The browser's own pauses between two attempts grow to several seconds.
  const hurry = setInterval(() => {
    if (!window.socket?.io) return;
    const alive = () => document.getElementById("quiet-banner") && window.millrace.heard();
    alive(); // by what the page was loaded with
    window.socket.on("alive", alive);
    window.socket.io.reconnectionDelay(300);
    window.socket.io.reconnectionDelayMax(1000);
    clearInterval(hurry);
  }, 100);
  // A connection from before seems open for long after the network is gone; closed, it is opened again at once.
  window.addEventListener("online", () =>
    window.socket?.connected ? window.socket.io.engine.close() : window.socket?.connect(),
  );
  navigator.serviceWorker?.register("/worker.js").catch(() => {});
})();
