// What the editor needs in the browser: completion by the console, a label, and the theme of the page.
window.millrace_editor = async (id, label, draft) => {
  const CM = await import("nicegui-codemirror");
  const element = getElement(id);
  await element.editorPromise;
  const view = element.editor;
  const waiting = new Map();
  let asked = 0;
  window.millrace_completion = (number, back, options) => waiting.get(number)?.(back, options);

  const option = (each) => ({
    label: each.label,
    detail: each.detail,
    info: each.explanation || undefined,
    filterText: each.insert,
    apply: (view, _, from, to) => {
      // The editor has closed the quote that was typed; what is inserted has its own.
      const end = view.state.sliceDoc(to, to + 1) === '"' && view.state.sliceDoc(from, from + 1) === '"' ? to + 1 : to;
      view.dispatch({ changes: { from, to: end, insert: each.insert }, selection: { anchor: from + each.insert.length } });
    },
  });
  const source = (context) => {
    const before = context.state.sliceDoc(0, context.pos);
    if (!context.explicit && !/["\w]$/.test(before)) return null;
    return new Promise((resolve) => {
      const number = ++asked;
      const done = (result) => (waiting.delete(number), resolve(result));
      waiting.set(number, (back, options) => {
        const typed = before.slice(before.length - back).replace(/^"/, "").toLowerCase();
        const fitting = options.filter((each) => each.label.toLowerCase().startsWith(typed));
        done(fitting.length ? { from: context.pos - back, options: fitting.map(option), filter: false } : null);
      });
      context.addEventListener("abort", () => done(null));
      element.$emit("complete", { number, before });
    });
  };
  view.dispatch({
    effects: CM.StateEffect.appendConfig.of([
      CM.EditorState.languageData.of(() => [{ autocomplete: source }]),
      CM.EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    ]),
  });
  const theme = () => element.setTheme(document.body.classList.contains("body--dark") ? "vscodeDark" : "vscodeLight");
  new MutationObserver(theme).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  await theme();
};
