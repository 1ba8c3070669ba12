(function () {
  "use strict";

  function data(id) {
    var element = document.getElementById(id);
    return element ? JSON.parse(element.textContent) : null;
  }

  /* ---- tables: sort by a click on a head; rows beyond the first ones travel as data ---- */

  function value(text, numeric) {
    if (!numeric) { return text.toLowerCase(); }
    var number = parseFloat(text.replace(/[,$]/g, ""));
    return isNaN(number) ? null : number;
  }

  function compare(a, b) {
    if (a === null || b === null) { return a === b ? 0 : a === null ? 1 : -1; }
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /* a long name may be broken after its joints */
  function fill(cell, text) {
    text.split(/(?<=[@+_\/])/).forEach(function (part, index) {
      if (index > 0) { cell.appendChild(document.createElement("wbr")); }
      cell.appendChild(document.createTextNode(part));
    });
  }

  /* what stands below a row is its last cell */
  function rowsOf(table) {
    var rows = [];
    Array.prototype.forEach.call(table.tBodies[0].rows, function (row) {
      var texts = Array.prototype.map.call(row.cells, function (cell) { return cell.textContent; });
      if (row.className === "note") { rows[rows.length - 1].push(texts[0]); } else { rows.push(texts); }
    });
    return rows;
  }

  function noteBelow(text, span) {
    var row = document.createElement("tr");
    row.className = "note";
    row.insertCell().textContent = text;
    row.cells[0].colSpan = span;
    return row;
  }

  function sortable(table) {
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    var body = table.tBodies[0];
    var pattern = Array.prototype.map.call(body.rows[0].cells, function (cell) { return cell.className; });
    var marked = {};
    Array.prototype.forEach.call(body.rows, function (row) {
      if (row.className === "marked") { marked[row.cells[0].textContent] = true; }
    });
    var rows = data(table.id + "-rows") || rowsOf(table);
    var step = Number(table.dataset.step);
    var shown = body.querySelectorAll("tr:not(.note)").length;
    var more = document.getElementById(table.id + "-more");

    function draw() {
      var part = document.createDocumentFragment();
      rows.slice(0, shown).forEach(function (cells) {
        var row = document.createElement("tr");
        if (marked[cells[0]]) { row.className = "marked"; }
        cells.slice(0, heads.length).forEach(function (text, index) {
          var cell = document.createElement(index === 0 ? "th" : "td");
          if (index === 0) { cell.scope = "row"; }
          cell.className = pattern[index];
          if (pattern[index] === "name") { fill(cell, text); } else { cell.textContent = text; }
          row.appendChild(cell);
        });
        part.appendChild(row);
        if (cells.length > heads.length) { part.appendChild(noteBelow(cells[heads.length], heads.length)); }
      });
      body.replaceChildren(part);
      if (more) { more.hidden = shown >= rows.length; }
    }

    heads.forEach(function (head, index) {
      var numeric = head.classList.contains("number");
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", function () {
        var ascending = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        var keyed = rows.map(function (row) { return [value(row[index], numeric), row]; });
        keyed.sort(function (a, b) {
          var empty = a[0] === null || b[0] === null;
          return ascending || empty ? compare(a[0], b[0]) : compare(b[0], a[0]);
        });
        rows = keyed.map(function (pair) { return pair[1]; });
        draw();
      });
    });
    if (more) {
      more.hidden = shown >= rows.length;
      more.addEventListener("click", function () { shown += step; draw(); });
    }
  }

  /* ---- charts: colours of text and grid follow the page, in print always the light ones ---- */

  function theme() {
    var style = getComputedStyle(document.documentElement);
    function colour(name) { return style.getPropertyValue(name).trim(); }
    var axis = { gridcolor: colour("--rule"), linecolor: colour("--quiet") };
    return {
      "font.color": colour("--text"),
      "font.family": getComputedStyle(document.body).fontFamily,
      "xaxis.gridcolor": axis.gridcolor, "xaxis.linecolor": axis.linecolor,
      "yaxis.gridcolor": axis.gridcolor, "yaxis.linecolor": axis.linecolor,
      "hoverlabel.bgcolor": colour("--raised"),
      "hoverlabel.bordercolor": colour("--quiet"),
      "hoverlabel.font.color": colour("--text")
    };
  }

  function repaint() {
    document.querySelectorAll(".chart.js-plotly-plot").forEach(function (chart) { window.Plotly.relayout(chart, theme()); });
  }

  /* an entry of the legend shows and hides its trace */
  function switchable(chart, entry, trace) {
    entry.tabIndex = 0;
    entry.setAttribute("role", "button");
    entry.setAttribute("aria-pressed", "true");
    function flip() {
      var visible = entry.getAttribute("aria-pressed") !== "true";
      entry.setAttribute("aria-pressed", String(visible));
      window.Plotly.restyle(chart, { visible: visible }, [trace]);
    }
    entry.addEventListener("click", flip);
    entry.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); flip(); }
    });
  }

  function drawCharts() {
    document.querySelectorAll(".chart").forEach(function (chart) {
      var figure = data(chart.id + "-data");
      var options = { responsive: true, displaylogo: false, displayModeBar: false };
      chart.parentElement.querySelectorAll(".legend li").forEach(function (entry, trace) {
        switchable(chart, entry, trace);
      });
      window.Plotly.newPlot(chart, figure.data, figure.layout, options).then(function () {
        return window.Plotly.relayout(chart, theme());
      });
    });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    window.matchMedia("print").addEventListener("change", repaint);
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  if (window.Plotly) { drawCharts(); }
})();
