/* What if: the fields are conditions of `autokd decide`; policy.js gives the verdict, how_sure.js says how sure it is,
   and the first screen follows. */
(function () {
  "use strict";

  var evidence = JSON.parse(document.getElementById("evidence").textContent);
  var section = document.querySelector(".what-if"), form = section.querySelector("form");
  var was = evidence.settings, fields = form.elements;
  var usd = autokdNumbers.usd, large = autokdNumbers.large, percent = autokdNumbers.percent, plain = autokdNumbers.plain;
  var busy = null;  /* the setting that the field of utilization stands for */
  var first = {
    body: document.body.className,
    parts: ["h1", "nav .brand", ".badges", ".summary", ".tiles", "#chart-cost .legend"].map(document.querySelector.bind(document))
      .filter(Boolean).map(function (part) { return [part, part.innerHTML]; })
  };
  var svg = document.querySelector("#chart-cost svg"), picture = svg && svg.innerHTML;
  var asked = document.querySelectorAll(".condition, .asked");

  /* ---- the fields ---- */

  function fill() {
    var byUse = was.price_per_second !== null;
    fields.requests_per_month.value = was.requests_per_month === null ? "" : plain(was.requests_per_month);
    busy = null;
    if (evidence.measured) {
      fields.unit.value = byUse ? "price_per_second" : "price_per_hour";
      fields.price.value = plain(byUse ? was.price_per_second : was.price_per_hour);
    } else {
      fields.price.value = plain(was.price_per_billion);
    }
    fields.max_cost.value = plain(was.max_cost);
    fields.min_retention.value = plain(100 * was.min_retention);
    fields.prefer.value = was.prefer;
  }

  /* With a volume another utilization counts than without: that of the peak, with a value of its own. */
  function utilizationIs(name) {
    if (busy === name) { return; }
    busy = name;
    fields.utilization.value = plain(100 * was[name]);
    fields.utilization.parentNode.firstElementChild.textContent =
      name === "utilization" ? "Utilization, %" : "Utilization at the peak, %";
  }

  /* The settings that differ from the page's; throws the sentence for a value that cannot be used. */
  function given() {
    var found = {};
    function take(field, name, scale, most, what) {
      var box = fields[field], value = Number(plain(autokdNumbers.parsed(box.value) * scale));
      box.removeAttribute("aria-invalid");
      if (!(value > 0 && value <= most)) {
        box.setAttribute("aria-invalid", "true");
        throw what + ": give a number above 0" + (most < 1e6 ? " and at most " + plain(most / scale) : "") + ".";
      }
      if (Math.abs(value - was[name]) > 1e-11 * value) { found[name] = value; }
    }
    fields.requests_per_month.removeAttribute("aria-invalid");
    if (fields.requests_per_month.value.trim() || was.requests_per_month !== null) {
      take("requests_per_month", "requests_per_month", 1, 1e12, "Requests a month");
    }
    take("price", fields.unit.value, 1, 1e6, "Price");
    var byUse = (found.price_per_second || was.price_per_second) && !found.price_per_hour;
    if (fields.utilization) {
      fields.utilization.disabled = Boolean(byUse);
      utilizationIs(found.requests_per_month || was.requests_per_month ? "target_utilization" : "utilization");
      if (!byUse) { take("utilization", busy, 0.01, 1, "Utilization"); }
    }
    take("max_cost", "max_cost", 1, 1e6, "Budget");
    take("min_retention", "min_retention", 0.01, 2, "Accuracy to keep");
    if (fields.prefer.value !== was.prefer) { found.prefer = fields.prefer.value; }
    return found;
  }

  /* ---- the command line ---- */

  function quoted(text) { return /^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\"'\"'") + "'"; }

  function command(moved) {
    var all = Object.assign({}, evidence.given);
    function drop(names) { names.forEach(function (name) { delete all[name]; }); }
    if ("price_per_hour" in moved) {
      drop(["instance", "price_per_second", "price_per_request", "billing_increment_ms", "billing_minimum_ms"]);
    }
    if ("price_per_second" in moved) {
      drop(["price_per_hour", "instance", "teacher_price_per_hour", "teacher_instance", "prices"]);
      drop(evidence.of_replicas);
    }
    if ("requests_per_month" in moved) { drop(["utilization"]); }
    Object.keys(moved).forEach(function (name) {
      all[name] = typeof moved[name] === "number" ? plain(moved[name]) : moved[name];
    });
    return ["autokd", "decide", quoted(evidence.run)].concat(Object.keys(all).map(function (name) {
      return "--" + name.replace(/_/g, "-") + " " + quoted(all[name]);
    })).join(" ");
  }

  /* ---- what follows ---- */

  function element(tag, text, className) {
    var made = document.createElement(tag);
    made.textContent = text;
    if (className) { made.className = className; }
    return made;
  }

  function sentence(judged) {
    var pick = judged.pick, teacher = judged.teacher;
    if (judged.verdict === "none") { return "No option is within the budget and keeps enough accuracy."; }
    if (pick === null) {
      return "Keep " + teacher.name + " at " + usd(teacher.cost) + " per 1,000 requests: no student is worth the change.";
    }
    var how = pick.arm === "distill" ? "Distill " + evidence.teacher + " into " + pick.name
      : pick.untrained ? "Use " + pick.name + " as it is" : "Train " + pick.name + " directly";
    return how + ": it keeps " + percent(pick.retention) + " of the teacher's accuracy and costs " + usd(pick.cost) +
      " instead of " + usd(teacher.cost) + " per 1,000 requests.";
  }

  function atStake(sure, volume) {
    var parts = sure.points > 0 ? [autokdNumbers.points(sure.points)] : [];
    if (sure.usd > 0) { parts.push(volume === null ? usd(sure.usd) + " per 1,000" : usd(sure.usd * volume / 1000) + " a month"); }
    return parts.join(" or ") || "nothing";
  }

  /* Label, value and what qualifies it, for the four figures of the first screen. */
  function figures(judged, sure) {
    var volume = judged.asked.requests_per_month, pick = judged.pick, teacher = judged.teacher;
    var found = [
      ["Repeats that would say the same", Math.floor(100 * sure.repeatability) + " of 100", "90 are asked for"],
      ["At stake at most", atStake(sure, volume), "if another option is the better one"]
    ];
    if (pick === null || !isFinite(teacher.cost)) { return found; }
    var saved = teacher.cost - pick.cost;
    var amount = volume === null ? saved : saved * volume / 1000;
    var unit = volume === null ? "per 1,000 requests" : "a month at " + large(volume) + " requests";
    found.push([saved < 0 ? "Costs more" : "Saves", usd(Math.abs(amount)), unit]);
    if (saved > 0) {
      var requests = judged.oneTime / saved * 1000;
      var months = volume === null ? "requests" : "requests, " + (requests / volume >= 0.1
        ? (requests / volume).toFixed(1) + " months" : "less than 0.1 months");
      found.push(["Pays for itself after", large(requests), months]);
    }
    return found;
  }

  function rows(judged) {
    var volume = judged.asked.requests_per_month;
    function row(title, option, taken, eligible, worthwhile) {
      if (option === null) { return [title, "no pick", "\u2013", "\u2013", "\u2013", "no", "no"]; }
      var month = volume === null ? "\u2013" : usd(option.cost * volume / 1000);
      return [title, option.name, percent(option.retention), usd(option.cost), month, eligible ? "yes" : "no", worthwhile, taken];
    }
    function student(title, pick) { return row(title, pick, judged.pick !== null && judged.pick === pick, true, "yes"); }
    return [
      row("Keep the teacher", judged.teacher, judged.verdict === "keep_teacher", judged.teacherEligible, "\u2013"),
      student("Train directly", judged.direct),
      student("Distill", judged.distilled)
    ];
  }

  function table(judged) {
    var made = document.createElement("table"), head = made.createTHead().insertRow(), body = made.createTBody();
    ["Option", "Model", "Keeps", "Costs per 1,000", "Costs a month", "Within the limits", "Pays"].forEach(function (label) {
      var cell = element("th", label);
      cell.scope = "col";
      head.appendChild(cell);
    });
    rows(judged).forEach(function (cells) {
      var row = body.insertRow();
      if (cells[7]) { row.className = "taken"; }
      cells.slice(0, 7).forEach(function (text, k) {
        var cell = element(k === 0 ? "th" : "td", text);
        if (k === 0) { cell.scope = "row"; }
        row.appendChild(cell);
      });
    });
    return made;
  }

  function firstScreen(judged, sure) {
    var parts = first.parts.map(function (pair) { return pair[0]; });
    document.body.className = judged.verdict;
    parts[0].textContent = parts[1].textContent = evidence.titles[judged.verdict];
    var strength = sure.weaknesses.length ? "weak" : "strong";
    parts[2].replaceChildren(
      element("span", strength + " evidence", "badge " + strength), " ",
      element("span", "what if: not the conditions of the search", "badge moved")
    );
    parts[3].textContent = sentence(judged);
    parts[4].replaceChildren.apply(parts[4], figures(judged, sure).map(function (figure) {
      var tile = document.createElement("div");
      tile.className = "tile";
      tile.append(element("dt", figure[0]), element("dd", figure[1], "value"), element("dd", figure[2], "detail"));
      return tile;
    }));
  }

  function restore() {
    if (svg) { svg.innerHTML = picture; }
    document.body.className = first.body;
    first.parts.forEach(function (pair) { pair[0].innerHTML = pair[1]; });
  }

  function update() {
    var wrong = section.querySelector(".wrong"), moved;
    try { moved = given(); } catch (problem) {
      if (typeof problem !== "string") { throw problem; }
      wrong.textContent = problem;
      wrong.hidden = false;
      return;
    }
    var judged = autokdPolicy.judge(evidence, moved), any = Object.keys(moved).length > 0;
    wrong.hidden = judged !== null;
    if (judged === null) {
      wrong.textContent = "How long one request takes alone was not measured in this run, so it cannot be billed by use.";
      return;
    }
    if (any) { answer(judged); } else { restore(); }
    asked.forEach(function (part) { part.hidden = any; });
    section.querySelector(".result").hidden = !any;
    section.querySelector(".command code").textContent = command(moved);
  }

  function answer(judged) {
    var sure = autokdHowSure.howSure(evidence, judged), weak = section.querySelector(".weak-because");
    firstScreen(judged, sure);
    movePicture(judged);
    section.querySelector(".answer").replaceChildren(table(judged));
    weak.hidden = sure.weaknesses.length === 0;
    var items = sure.weaknesses.map(function (sentence) { return element("li", sentence); });
    weak.querySelector("ul").replaceChildren.apply(weak.querySelector("ul"), items);
  }

  /* ---- the picture ---- */

  function movePicture(judged) {
    if (!svg) { return; }
    var costs = { budget: judged.asked.max_cost };
    judged.forms.forEach(function (form, k) { costs["t:" + k] = form.cost; });
    judged.students.forEach(function (student) { costs["s:" + student.number] = student.cost; });
    Object.keys(evidence.looked).forEach(function (name) {
      var model = Object.assign({ number: -1 }, evidence.looked[name]);
      costs["m:" + name] = autokdPolicy.priced(evidence, model, judged.asked).cost;
    });
    var taken = judged.pick ? "s:" + judged.pick.number : "t:" + judged.forms.indexOf(judged.teacher);
    if (judged.verdict === "none") { taken = null; }
    autokdPicture.move(svg, costs, taken, judged.asked.min_retention * evidence.teacher_accuracy, usd);
    legend("budget", "budget " + usd(judged.asked.max_cost));
    legend("needed", plain(100 * judged.asked.min_retention) + " % of the teacher's accuracy");
  }

  function legend(tone, words) {
    document.querySelector("#chart-cost .legend ." + tone).parentNode.lastChild.data = " " + words;
  }

  section.hidden = document.querySelector("nav .live").hidden = false;
  fill();
  if (evidence.measured) {
    fields.unit.addEventListener("input", function () {
      var sameMachine = Number((was.price_per_hour / 3600).toPrecision(3));
      var perSecond = was.price_per_second === null ? sameMachine : was.price_per_second;
      fields.price.value = plain(fields.unit.value === "price_per_second" ? perSecond : was.price_per_hour);
    });
  }
  form.addEventListener("input", update);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("reset", function (event) { event.preventDefault(); fill(); update(); });
  section.querySelector(".command button").addEventListener("click", function (event) {
    var code = section.querySelector(".command code"), button = event.target;
    function done() { button.textContent = "Copied"; setTimeout(function () { button.textContent = "Copy"; }, 1500); }
    function byHand() {
      getSelection().selectAllChildren(code);
      if (document.execCommand("copy")) { done(); }
    }
    if (navigator.clipboard) { navigator.clipboard.writeText(code.textContent).then(done, byHand); } else { byHand(); }
  });
  update();
})();
