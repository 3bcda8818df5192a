// While the console does not answer, a page that is opened or loaded again waits for it instead of being white.
const WAITING = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>millrace: waiting</title><meta name="color-scheme" content="light dark">
<body style="font: 16px system-ui; margin: 3rem auto; max-width: 40rem; padding: 0 1rem">
<h1 style="font-size: 1.3rem">The console does not answer</h1>
<p>It may be starting. This page tries again every second and comes back to the same place by itself.</p>
<script>
const again = () => setTimeout(() => fetch("/health").then((a) => (a.ok ? location.reload() : again()), again), 1000);
again();
</script>`;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate") return;
  event.respondWith(
    fetch(event.request).catch(
      () => new Response(WAITING, { status: 503, headers: { "content-type": "text/html; charset=utf-8" } }),
    ),
  );
});
