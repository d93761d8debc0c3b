// Which language the page speaks: the one that was chosen here, else the browser's, else English. Runs in the head.
(() => {
  const spoken = ["en", "id"];
  const key = "lungcare.language";
  const remembered = () => {
    try { return localStorage.getItem(key); } catch { return null; }
  };
  const wished = [remembered(), ...(navigator.languages ?? [])].filter(Boolean);
  let language = wished.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => spoken.includes(tag)) ?? spoken[0];

  // Put the sentences that stand in attributes into the language; those in elements follow by the style sheet.
  function label(root) {
    for (const item of root.querySelectorAll("[data-label]")) {
      item.setAttribute(item.dataset.label, item.dataset[language]);
    }
    for (const button of root.querySelectorAll("button[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
  }

  function apply() {
    document.documentElement.lang = language;
    document.documentElement.dataset.speaks = language;
    label(document);
    document.dispatchEvent(new Event("lungcare:language"));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-language]");
    if (!button) return;
    language = button.dataset.language;
    try { localStorage.setItem(key, language); } catch { /* not remembered where nothing may be kept */ }
    apply();
  });
  // Gradio writes the browser's language here, late.
  new MutationObserver(() => {
    if (document.documentElement.lang !== language) document.documentElement.lang = language;
  }).observe(document.documentElement, { attributeFilter: ["lang"] });
  document.addEventListener("DOMContentLoaded", apply);
  apply();
  window.lungcare = { label, language: () => language };
})();
