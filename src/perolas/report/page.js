// Filters of the claims table, plots drawn as they come into view, copy buttons. No library but plotly, no network.
(function () {
  "use strict";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const one = (id) => document.getElementById(id);

  // Claims: by verdict and role.
  const filters = document.querySelector(".filters");
  if (filters) {
    filters.hidden = false;
    const rows = all("table.claims tbody tr");
    const chips = all(".chip[data-verdict]", filters);
    const role = one("role");
    let verdict = "";
    const apply = () => {
      let n = 0;
      for (const row of rows) {
        const fits = (!verdict || row.dataset.verdict === verdict) && (!role.value || row.dataset.role === role.value);
        row.hidden = !fits;
        n += fits;
      }
      one("shown").textContent = n === rows.length ? "" : n + " of " + rows.length + " shown";
      for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.verdict === verdict));
    };
    for (const chip of chips) chip.addEventListener("click", () => { verdict = chip.dataset.verdict; apply(); });
    role.addEventListener("change", apply);
  }

  // Contents: closed where the screen is narrow; the section in view is marked.
  const narrow = window.matchMedia("(max-width: 60rem)");
  const contents = document.querySelector("nav.side details");
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  all("a", contents).forEach((a) => a.addEventListener("click", () => { if (narrow.matches) contents.open = false; }));

  // Plots.
  const views = { f4: Float32Array, f8: Float64Array };
  const decode = ([kind, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return new views[kind](bytes.buffer);
  };
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg", filename: "perolas" },
  };
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: "#30343b" };

  const style = (layout, width) => {
    const small = width < 560;
    for (const axis of [layout.xaxis, layout.yaxis, layout.yaxis2]) if (axis) axis.title.font = { size: small ? 12 : 13.5 };
    return Object.assign(layout, {
      font: Object.assign({}, font, small ? { size: 11 } : {}),
      margin: { l: small ? 48 : 64, r: 10, t: 8, b: small ? 44 : 50 },
      height: small ? 430 : 500,
      paper_bgcolor: "#fff",
      modebar: { bgcolor: "rgba(255,255,255,0.8)", color: "#9aa0a9", activecolor: "#30343b" },
      plot_bgcolor: "#fff",
      hovermode: "x unified",
      hoversubplots: "axis",
      hoverlabel: { bgcolor: "rgba(255,255,255,0.94)", bordercolor: "#c9ccd2", font: { size: 12 } },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: small ? 11 : 12 } },
      dragmode: "ontouchstart" in window && small ? false : "zoom",
    });
  };

  const draw = (box) => {
    if (box.dataset.drawn || typeof Plotly === "undefined") return;
    box.dataset.drawn = "yes";
    box.textContent = "";
    const plot = JSON.parse(one("json-" + box.dataset.plot).textContent);
    const arrays = {};
    for (const key of Object.keys(plot.arrays)) arrays["@" + key] = decode(plot.arrays[key]);
    for (const trace of plot.data) {
      trace.x = arrays[trace.x];
      trace.y = arrays[trace.y];
    }
    Plotly.newPlot(box, plot.data, style(plot.layout, box.clientWidth),
      Object.assign({ displayModeBar: box.clientWidth < 560 ? false : "hover" }, config));
    const button = all(".scale").find((b) => b.dataset.plot === box.dataset.plot);
    if (!button) return;
    let kind = plot.layout.yaxis.type;
    const name = () => { button.textContent = kind === "log" ? "linear scale" : "logarithmic scale"; };
    button.hidden = false;
    name();
    button.addEventListener("click", () => {
      kind = kind === "log" ? "linear" : "log";
      Plotly.relayout(box, { "yaxis.type": kind, "yaxis.range": plot.ranges[kind].slice(),
        "yaxis.dtick": kind === "log" ? plot.decade_ticks : null });
      name();
    });
  };

  const boxes = all(".plot");
  const drawAll = () => boxes.forEach(draw);
  if ("IntersectionObserver" in window) {
    const watch = new IntersectionObserver(
      (seen) => seen.forEach((s) => { if (s.isIntersecting) { watch.unobserve(s.target); draw(s.target); } }),
      { rootMargin: "600px 0px" }
    );
    boxes.forEach((box) => watch.observe(box));
  } else {
    drawAll();
  }
  // A picture of the whole page, or its print, shows every plot: the first two dozen are drawn when there is time.
  const later = window.requestIdleCallback || ((f) => setTimeout(f, 50));
  const next = () => {
    const box = boxes.slice(0, 24).find((b) => !b.dataset.drawn);
    if (box) { draw(box); later(next); }
  };
  window.addEventListener("load", () => later(next));
  window.addEventListener("beforeprint", () => {
    all("main details").forEach((d) => { d.open = true; });
    drawAll();
    const width = 660;  // of an A4 or letter page within its margins
    boxes.forEach((box) => { if (box.layout) Plotly.relayout(box, { width: width, height: 380 }); });
  });
  window.addEventListener("afterprint", () => {
    boxes.forEach((box) => { if (box.layout) Plotly.relayout(box, { width: null, height: 500, autosize: true }); });
  });

  // Copy the lines that reproduce an item.
  for (const button of all(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
        setTimeout(() => { button.textContent = "copy"; }, 1500);
      } catch {
        window.getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
    });
  }
})();
