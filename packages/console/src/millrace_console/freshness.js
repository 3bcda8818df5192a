// A page that the console no longer speaks to says so, and its numbers fade: nothing old is shown as new.
(() => {
  const LOOK_MS = 500;
  const QUIET_MS = 3000;
  const DEAD_MS = 6000; // a connection may seem open for long after the network is gone
  let heard = null; // a page that is not live, such as the sign-in, never is
  let looks = 0; // since then: a page that was itself too busy to look has not waited
  window.millrace = {
    heard: () => {
      heard = Date.now();
      looks = 0;
      document.body?.classList.remove("quiet");
    },
  };
  setInterval(() => {
    if (heard === null || Date.now() - heard < QUIET_MS) return;
    if (++looks * LOOK_MS >= DEAD_MS - QUIET_MS && window.socket?.connected) {
      looks = 0;
      window.socket.io.engine.close(); // it is opened again at once
    }
    if (!document.body.classList.contains("quiet")) {
      const since = document.getElementById("quiet-since");
      if (since) since.textContent = new Date(heard).toLocaleTimeString();
    }
    document.body.classList.add("quiet");
  }, LOOK_MS);
  // The browser's own pauses between two attempts grow to several seconds.
  const hurry = setInterval(() => {
    if (!window.socket?.io) return;
    window.socket.io.reconnectionDelay(300);
    window.socket.io.reconnectionDelayMax(1000);
    clearInterval(hurry);
  }, 100);
  window.addEventListener("online", () => window.socket?.connected || window.socket?.connect());
  navigator.serviceWorker?.register("/worker.js").catch(() => {});
})();
