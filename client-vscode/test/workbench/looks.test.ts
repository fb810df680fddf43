/** How it looks in the workbench's themes, kept as pictures; what a machine can tell of them is checked. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Panel } from "./panel.ts";
import { realProject } from "./projects.ts";
import { eventually, openWindow } from "./workbench.ts";

const THEMES = {
  light: "Light Modern",
  dark: "Dark Modern",
  "high-contrast": "Default High Contrast",
  "high-contrast-light": "Default High Contrast Light",
};
// WCAG 2, level AA, asks for 4.5; themes themselves paint comments with hardly more than this, brackets with less.
const READABLE = 3;
const project = realProject();
const bench = await openWindow({ workspace: project, settings: { "workbench.colorTheme": THEMES.dark } });
const panel = new Panel(bench);

test("the panel can be made wider", async () => {
  await panel.open();
  await bench.isIndexed();
  const bar = await bench.page.locator(".part.sidebar").boundingBox();
  const edge = (bar?.x ?? 0) + (bar?.width ?? 0);
  await bench.page.mouse.move(edge, 400);
  await bench.page.mouse.down();
  await bench.page.mouse.move(edge + 130, 400, { steps: 5 });
  await bench.page.mouse.up();
  await panel.search("how is a request cancelled");
  await panel.files.first().locator(".hit").first().click();
});

for (const [name, theme] of Object.entries(THEMES)) {
  test(`what is in the panel can be read in ${theme}`, async () => {
    bench.server.set({ "workbench.colorTheme": theme });
    const kind = `vscode-${name}`;
    await panel.at(`body.${kind}`).waitFor();
    const texts = panel.at("#results :is(.name, .folder, .label, .symbol, .line, .code span, .code mark)");
    // The colours of code come a moment after the theme's others.
    await eventually(() => texts.evaluateAll(poorlyReadable, READABLE), []);
    await bench.shoot(`panel-${name}`);
  });
}

test("screen readers are told what each thing is", async () => {
  const unnamed = await panel.at("button, input, [role=treeitem], vscode-toolbar-button").evaluateAll((elements) =>
    elements
      .filter((each) => each.checkVisibility())
      .filter((each) => !["aria-label", "label", "title"].some((name) => each.getAttribute(name)) && each.textContent.trim() === "")
      .map((each) => each.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(unnamed, []);
  assert.equal(await panel.at("#summary").getAttribute("role"), "status");
});

test("a narrow panel still shows what was found", async () => {
  await bench.page.setViewportSize({ width: 800, height: 700 });
  await panel.files.first().waitFor();
  const overflow = await panel.at("body").evaluate((body) => body.scrollWidth - body.clientWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
  await bench.shoot("panel-narrow");
});

/** Texts whose colour is too near to what is behind them; runs in the page. */
function poorlyReadable(elements: Element[], least: number): string[] {
  const channels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: number[]): number => {
    const [r = 0, g = 0, b = 0] = colour.map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const probe = document.body.appendChild(document.createElement("div"));
  probe.style.background = "var(--vscode-sideBar-background)";
  const ground = channels(getComputedStyle(probe).backgroundColor);
  probe.remove();
  const behind = (element: Element | null): number[] => {
    if (element === null) {
      return ground;
    }
    const [r = 0, g = 0, b = 0, a = 1] = channels(getComputedStyle(element).backgroundColor);
    const below = a === 1 ? [0, 0, 0] : behind(element.parentElement);
    return [r, g, b].map((each, at) => each * a + (below[at] ?? 0) * (1 - a));
  };
  return elements.flatMap((element) => {
    const both = [channels(getComputedStyle(element).color).slice(0, 3), behind(element)].map(luminance);
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    const isSeen = element.textContent.trim() !== "" && element.checkVisibility();
    return isSeen && contrast < least ? [`${element.className} ${element.textContent.slice(0, 30)} ${contrast.toFixed(2)}`] : [];
  });
}
