// The theme that one chose for this browser; without a choice, the system's.
(() => {
  const CHOICES = { auto: "auto", light: false, dark: true };
  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const apply = (name) => window.Quasar?.Dark?.set(CHOICES[name] ?? "auto");
  window.millrace_theme = (name) => {
    try {
      localStorage.setItem("theme", name);
    } catch {
      // A browser that keeps nothing shows the choice until the page is loaded again.
    }
    apply(name);
  };
  const starting = setInterval(() => {
    if (!window.did_handshake) return;
    clearInterval(starting);
    if (chosen() in CHOICES) apply(chosen());
  }, 20);
})();
