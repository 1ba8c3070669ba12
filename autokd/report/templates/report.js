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
      button.title = head.querySelector("abbr") ? head.querySelector("abbr").title : "";
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

  /* ---- charts: what a mark says when it is pointed at ---- */

  function tips() {
    var tip = document.getElementById("tip");
    document.addEventListener("pointerover", function (event) {
      var mark = event.target.closest("[data-tip]");
      tip.hidden = !mark || !mark.dataset.tip;
      if (tip.hidden) { return; }
      tip.textContent = mark.dataset.tip;
      var box = mark.getBoundingClientRect();
      var left = Math.min(box.left + box.width / 2, window.innerWidth - tip.offsetWidth - 8);
      tip.style.left = Math.max(8, left) + "px";
      tip.style.top = (box.top > tip.offsetHeight + 12 ? box.top - tip.offsetHeight - 8 : box.bottom + 8) + "px";
    });
    document.addEventListener("scroll", function () { tip.hidden = true; }, { passive: true });
  }

  /* ---- folds: a link into one opens it, and print shows all ---- */

  function folds() {
    function reveal() {
      var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
      var fold = target && target.closest("details");
      if (fold) { fold.open = true; target.scrollIntoView(); }
    }
    window.addEventListener("hashchange", reveal);
    document.querySelector("nav").addEventListener("click", function () { setTimeout(reveal); });
    window.addEventListener("beforeprint", function () {
      document.querySelectorAll("details").forEach(function (fold) { fold.open = true; });
    });
    reveal();
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  tips();
  folds();
})();
