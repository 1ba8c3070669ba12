/* The picture accuracy against cost under other costs: marks keep their height, the axis follows
   (charts/accuracy_vs_cost.py and charts/svg.py draw it first). */
var autokdPicture = (function () {
  "use strict";

  var FEW = 5;
  var STEPS = [[1, [1, 1.5, 2, 3, 4, 5, 7]], [1, [1, 2, 5]], [1, [1, 3]], [1, [1]], [2, [1]], [4, [1]]];

  function ticks(low, high) {
    var found = [];
    for (var k = 0; k < STEPS.length; k++) {
      found = [];
      for (var decade = Math.floor(low); decade <= Math.ceil(high); decade++) {
        if (decade % STEPS[k][0]) { continue; }
        STEPS[k][1].forEach(function (step) {
          var value = Number(step + "e" + decade);
          if (Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9) { found.push(value); }
        });
      }
      if (found.length <= FEW) { break; }
    }
    return found;
  }

  function made(tag, attributes, text) {
    var element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.keys(attributes).forEach(function (name) { element.setAttribute(name, attributes[name]); });
    if (text !== undefined) { element.textContent = text; }
    return element;
  }

  /* A name stands on that side of its mark where there is room. */
  function turn(name, x, width) {
    var lines = Array.prototype.slice.call(name.children);
    var longest = Math.max.apply(null, lines.map(function (line) { return line.textContent.length; }));
    var right = x + 15 + 12 * longest < width;
    name.setAttribute("text-anchor", right ? "start" : "end");
    lines.forEach(function (line) { line.setAttribute("x", right ? 15 : -15); });
  }

  /* costs: dollars by the key of a mark, and of the budget; taken: the key of what is recommended; needed: the
     accuracy to keep; usd: writes dollars */
  function move(svg, costs, taken, needed, usd) {
    var area = JSON.parse(svg.dataset.area);  /* left, right, top and floor in pixels, the accuracies low and high */
    var marks = Array.prototype.slice.call(svg.querySelectorAll("[data-key]"));
    function drawable(cost) { return cost > 0 && isFinite(cost); }
    var logs = marks.map(function (mark) { return costs[mark.dataset.key]; }).concat(costs.budget)
      .filter(drawable).map(Math.log10);
    var least = Math.min.apply(null, logs), most = Math.max.apply(null, logs);
    var room = Math.max(0.06 * (most - least), 0.05), low = least - room, high = most + room;
    function px(cost) { return area.left + (Math.log10(cost) - low) / (high - low) * (area.right - area.left); }
    function written(value) { return String(Math.round(10 * value) / 10); }

    marks.forEach(function (mark) {
      var cost = costs[mark.dataset.key], x = written(px(cost) + Number(mark.dataset.shift));
      mark.classList.toggle("taken", mark.dataset.key === taken);
      mark.querySelectorAll(".name").forEach(function (name) { turn(name, Number(x), svg.viewBox.baseVal.width); });
      mark.setAttribute("visibility", drawable(cost) ? "visible" : "hidden");
      if (drawable(cost)) {
        mark.setAttribute("transform", mark.getAttribute("transform").replace(/\([-\d.]+/, "(" + x));
        mark.dataset.tip = mark.dataset.tip.replace(/\$[\d.,]+ per 1,000/, usd(cost) + " per 1,000");
      }
    });

    var share = Math.min(Math.max((needed - area.low) / (area.high - area.low), 0), 1);
    var x = px(costs.budget), y = area.floor - share * (area.floor - area.top);
    svg.querySelector(".budget").setAttribute("transform", "translate(" + written(x) + " 0)");
    svg.querySelector(".needed").setAttribute("transform", "translate(0 " + written(y) + ")");
    svg.querySelector(".allowed").setAttribute("width", written(Math.max(x - area.left, 0)));
    svg.querySelector(".allowed").setAttribute("height", written(y - area.top));
    svg.querySelector(".x-axis").replaceChildren.apply(svg.querySelector(".x-axis"), ticks(low, high).flatMap(function (value) {
      var at = written(px(value));
      return [
        made("path", { "class": "grid", d: "M" + at + " " + area.top + "L" + at + " " + area.floor }),
        made("text", { x: at, y: area.floor + 21, "text-anchor": "middle" }, usd(value))
      ];
    }));
  }

  return { move: move };
})();
