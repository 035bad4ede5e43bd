// What a reader of the page could not read: what is cut off, runs out of the page, or is too small or too pale.
(() => {
  const complaints = [];
  const say = (element, problem) =>
    complaints.push(`${problem}: ${(element.textContent || element.tagName).trim().replace(/\s+/g, " ").slice(0, 60)}`);
  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const light = (color) => {
    const [red, green, blue] = channels(color).slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      const alpha = channels(color)[3];
      if (alpha === undefined || alpha > 0.5) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const width = document.documentElement.clientWidth;
  let texts = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (style.display === "none" || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    if (style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1) say(element, "cut at its right");
    if (style.overflowY === "hidden" && element.scrollHeight > element.clientHeight + 1) say(element, "cut at its end");
    if (box.right > width + 1 || box.left < -1) say(element, "out of the page");
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    texts += 1;
    if (box.width === 0 || box.height === 0) say(element, "not shown");
    if (parseFloat(style.fontSize) < 11) say(element, "smaller than 11 pixels");
    const [one, other] = [light(style.color), light(paper(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) say(element, "too pale");
  }
  document.title = "looked at";
  const answer = document.createElement("script");
  answer.id = "looked-at";
  answer.type = "application/json";
  answer.textContent = JSON.stringify({ texts, complaints }).replaceAll("<", "\\u003c");
  document.body.append(answer);
})();
