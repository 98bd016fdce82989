// Puts a live figure in the place of each still one when it comes into view; follows the colour scheme. It brings no style
// of its own, so that a page may forbid all but its style sheet.
const variables = VARIABLES;
let specs = {};
const scheme = matchMedia("(prefers-color-scheme: dark)");

function coloured(spec, logarithmic) {
  const style = getComputedStyle(document.documentElement);
  let text = JSON.stringify(spec);
  for (const [name, placeholder] of Object.entries(variables))
    text = text.replaceAll(placeholder, style.getPropertyValue(name).trim());
  const themed = JSON.parse(text);
  if (logarithmic !== undefined) {
    themed.encoding.y.scale.type = logarithmic ? "log" : "linear";
    delete themed.encoding.y.axis; // its labels were chosen for the other scale
  }
  const lines = (themed.layer || []).find((layer) => layer.mark.type === "line");
  if (lines) {
    // a click on the legend picks one line
    lines.params = [{ name: "pick", select: { type: "point", fields: ["series"] }, bind: "legend" }];
    lines.encoding.opacity = { condition: { param: "pick", value: 1 }, value: 0.15 };
  }
  return themed;
}

// One name a line in every legend: side by side they would make a narrow figure wide, and then small.
function stack(part) {
  for (const channel of Object.values(part.encoding || {})) if (channel.legend) channel.legend.columns = 1;
  for (const layer of part.layer || []) stack(layer);
}

async function show(plot, logarithmic) {
  const still = plot.querySelector("svg, .live");
  const width = plot.clientWidth - 16;
  const spec = coloured(specs[plot.id], logarithmic);
  spec.width = Math.max(220, Math.min(640, width - 90));
  if (width < 480) stack(spec);
  const live = document.createElement("div");
  live.className = "live";
  try {
    await vegaEmbed(live, spec, { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: { theme: "custom", disableDefaultStyle: true } });
  } catch (error) {
    return; // the still figure stays
  }
  for (const part of live.querySelectorAll("[role]")) part.removeAttribute("role"); // the figure has one
  still.replaceWith(live);
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries)
    if (entry.isIntersecting) {
      seen.unobserve(entry.target);
      show(entry.target);
    }
});

function watch() {
  specs = JSON.parse(document.getElementById("specs")?.textContent || "{}");
  seen.disconnect();
  for (const plot of document.querySelectorAll(".plot[id]")) {
    if (!specs[plot.id]) continue;
    seen.observe(plot);
    const button = plot.parentElement.querySelector("button.scale-switch");
    if (button) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const logarithmic = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(logarithmic));
        show(plot, logarithmic);
      });
    }
  }
}
watch();
document.addEventListener("shown", watch); // whoever puts another page in the place of this one says so
scheme.addEventListener("change", () => {
  for (const live of document.querySelectorAll(".live")) show(live.parentElement);
});
