/* What if: the fields are conditions of `autokd decide`; policy.js gives the verdict, how_sure.js says how sure it is,
   answer.js puts it into words, and the first screen follows. */
(function () {
  "use strict";

  var evidence = JSON.parse(document.getElementById("evidence").textContent);
  var section = document.querySelector(".what-if"), form = section.querySelector("form");
  var was = evidence.settings, fields = form.elements;
  var usd = autokdNumbers.usd, plain = autokdNumbers.plain;
  var first = {
    body: document.body.className,
    parts: ["h1", "nav .brand", ".badges", ".summary", ".tiles", ".weak-line", "#chart-cost .legend"].map(document.querySelector.bind(document))
      .filter(Boolean).map(function (part) { return [part, part.innerHTML]; })
  };
  var say = autokdAnswer, element = say.element;
  var svg = document.querySelector("#chart-cost svg"), picture = svg && svg.innerHTML;
  var asked = document.querySelectorAll(".condition, .asked"), setBack = document.querySelector(".set-back");

  /* ---- the fields ---- */

  function fill() {
    var byUse = was.price_per_second !== null;
    fields.requests_per_month.value = was.requests_per_month === null ? "" : plain(was.requests_per_month);
    if (evidence.measured) {
      fields.utilization.value = plain(100 * was.utilization);
      fields.target_utilization.value = plain(100 * was.target_utilization);
      fields.unit.value = byUse ? "price_per_second" : "price_per_hour";
      fields.price.value = plain(byUse ? was.price_per_second : was.price_per_hour);
    } else {
      fields.price.value = plain(was.price_per_billion);
    }
    fields.max_cost.value = plain(was.max_cost);
    fields.min_retention.value = plain(100 * was.min_retention);
    fields.prefer.value = was.prefer;
  }

  /* Two fields, of which one counts: a machine's load on the whole, or with a volume that at the peak. */
  function utilizationCounts(byUse, volume) {
    var unused = { utilization: volume, target_utilization: !volume };
    Object.keys(unused).forEach(function (name) {
      fields[name].disabled = Boolean(byUse || unused[name]);
      fields[name].removeAttribute("aria-invalid");
      fields[name].parentNode.title = byUse ? "Does not count: only the seconds of each request are paid for."
        : !unused[name] ? ""
        : volume ? "Does not count: with a volume, whole machines are paid for, planned for the peak."
        : "Counts only with a volume: then whole machines are paid for, planned for the peak.";
    });
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
      var volume = Boolean(found.requests_per_month || was.requests_per_month);
      utilizationCounts(byUse, volume);
      if (!byUse && volume) { take("target_utilization", "target_utilization", 0.01, 1, "Utilization at the peak"); }
      if (!byUse && !volume) { take("utilization", "utilization", 0.01, 1, "Utilization"); }
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
    if (!("teacher_instance" in all) && !("instance" in all)) { drop(["prices"]); }
    if ("requests_per_month" in moved) { drop(["utilization"]); }
    Object.keys(moved).forEach(function (name) {
      all[name] = typeof moved[name] === "number" ? plain(moved[name]) : moved[name];
    });
    return ["autokd", "decide", quoted(evidence.run)].concat(Object.keys(all).map(function (name) {
      return "--" + name.replace(/_/g, "-") + " " + quoted(all[name]);
    })).join(" ");
  }

  /* ---- what follows ---- */

  function firstScreen(judged, sure) {
    var parts = first.parts.map(function (pair) { return pair[0]; });
    document.body.className = judged.verdict + " moved";
    parts[0].textContent = parts[1].textContent = evidence.titles[judged.verdict];
    parts[2].replaceChildren(say.badge(sure), " ", element("span", "what if: not the conditions of the search", "badge shifted"));
    parts[3].textContent = say.sentence(evidence, judged);
    parts[4].replaceChildren.apply(parts[4], say.figures(judged, sure).map(function (figure) {
      var tile = element("div", "", "tile");
      tile.append(element("dt", figure[0]), element("dd", figure[1], "value"), element("dd", figure[2], "detail"));
      return tile;
    }));
    parts[5].replaceChildren(say.weak(sure) || "");
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
    setBack.hidden = !any;
    section.querySelector(".result").hidden = !any;
    section.querySelector(".command code").textContent = command(moved);
  }

  function answer(judged) {
    var sure = autokdHowSure.howSure(evidence, judged), weak = section.querySelector(".weak-because");
    firstScreen(judged, sure);
    movePicture(judged);
    section.querySelector(".outcome").replaceChildren(
      element("strong", evidence.titles[judged.verdict]), " ", say.badge(sure)
    );
    section.querySelector(".answer").replaceChildren(say.table(judged));
    section.querySelector(".billing").textContent = say.billing(judged);
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
