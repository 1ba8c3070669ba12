/* What the page says of a verdict of policy.js: sentence, figures, table of the options, and how they are billed. */
var autokdAnswer = (function () {
  "use strict";

  var REPEATABLE = 0.9, DASH = "\u2013";
  var policy = autokdPolicy, refusals = autokdRefusals, write = autokdNumbers;
  var usd = write.usd, large = write.large, percent = write.percent;

  function element(tag, text, className) {
    var made = document.createElement(tag);
    made.textContent = text;
    if (className) { made.className = className; }
    return made;
  }

  function sentence(evidence, judged) {
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

  /* ---- how sure ---- */

  function badge(sure) {
    var strength = sure.weaknesses.length ? "weak" : "strong";
    return element("span", strength + " evidence", "badge " + strength);
  }

  /* What is weak, in one line; null where nothing is. */
  function weak(sure) {
    if (sure.weaknesses.length === 0) { return null; }
    var line = element("p", "Weak: " + sure.weaknesses[0]), more = sure.weaknesses.length - 1;
    if (more) {
      var link = element("a", "and " + more + " more");
      link.href = "#what-if-weak";
      line.append(" ", link);
    }
    return line;
  }

  function atStake(sure, volume) {
    var parts = sure.points > 0 ? [write.points(sure.points)] : [];
    if (sure.usd > 0) {
      parts.push(volume === null ? write.perRequests(sure.usd).join(" per ") : usd(sure.usd * volume / 1000) + " a month");
    }
    return parts.join(" or ") || "nothing";
  }

  /* ---- the figures of the first screen: label, value and what qualifies it ---- */

  function figures(judged, sure) {
    var count = Math.floor(100 * sure.repeatability) + " of 100";
    return [
      ["Repeats that would say the same", count, sure.repeatability >= REPEATABLE ? "enough" : "90 are asked for"],
      ["At stake at most", atStake(sure, judged.asked.requests_per_month), "if another option is the better one"]
    ].concat(judged.pick ? saved(judged) : nothingSaved(judged));
  }

  function saved(judged) {
    var volume = judged.asked.requests_per_month, by = judged.teacher.cost - judged.pick.cost;
    if (!isFinite(by)) { return []; }
    var each = write.perRequests(Math.abs(by));
    var unit = volume === null ? "per " + each[1] + " requests" : "a month at " + large(volume) + " requests";
    var amount = volume === null ? each[0] : usd(Math.abs(by * volume / 1000));
    if (by <= 0) { return [[by < 0 ? "Costs more" : "Saves", amount, unit]]; }
    var requests = judged.oneTime / by * 1000;
    var months = volume === null ? "requests" : "requests, " + (requests / volume >= 0.1
      ? (requests / volume).toFixed(1) + " months" : "less than 0.1 months");
    return [["Saves", amount, unit], ["Pays for itself after", large(requests), months]];
  }

  /* Where the teacher is kept: why the student that comes closest is not taken. */
  function nothingSaved(judged) {
    var student = judged.distilled || refusals.closest(judged, judged.students);
    if (judged.verdict !== "keep_teacher" || student === null) { return []; }
    var amount = judged.asked.requests_per_month === null ? "$0" : "$0 a month";
    return [["Saves", amount, student.name + ": " + refusals.why(judged, student)]];
  }

  /* ---- the options ---- */

  function arm(judged, name, pick) {
    return pick || refusals.closest(judged, judged.students.filter(function (s) { return s.arm === name; }));
  }

  /* Title and option of every column; an arm without a pick shows the finalist that comes closest. */
  function columns(judged) {
    var direct = arm(judged, "direct", judged.direct), distilled = arm(judged, "distill", judged.distilled);
    function column(title, option, verdict) { return { title: title, option: option, taken: judged.verdict === verdict }; }
    return [
      column("Keep the teacher", judged.teacher, "keep_teacher"),
      column(direct && direct.untrained ? "Use as it is" : "Train directly", direct, "use_small_model"),
      column("Distill", distilled, "distill")
    ];
  }

  /* Label, and for every column a value and its detail. */
  function rows(judged, shown) {
    var asked = judged.asked, volume = asked.requests_per_month;
    function model(o) { return [o.name, o.number === null ? "" : "finalist " + o.number]; }
    function month(o) {
      if (volume === null) { return [DASH, "no volume given"]; }
      var needs = policy.billsReplicas(o, asked) ? machines(policy.replicas(o.rps[0], asked)) : "";
      return [usd(o.cost * volume / 1000), needs];
    }
    function within(o) { return [refusals.missed(judged, o).length ? "no" : "yes", ""]; }
    function pays(o) {
      if (o.number === null || !judged.teacherEligible) { return [DASH, ""]; }
      return [policy.pays(o, judged.teacher, judged.oneTime, asked, o.low) ? "yes" : "no", ""];
    }
    var reasons = shown.map(function (column) {
      return [column.option && refusals.why(judged, column.option) || DASH, ""];
    });
    return [
      ["Model", model],
      ["Keeps of the teacher's accuracy", function (o) { return [percent(o.retention), ""]; }],
      ["Costs per 1,000 requests", function (o) { return [usd(o.cost), ""]; }],
      ["Costs a month", month],
      ["Within the limits", within],
      ["Pays for itself", pays]
    ].map(function (row) {
      var none = [row[1] === model ? "no finalist" : DASH, ""];
      return [row[0], shown.map(function (column) { return column.option ? row[1](column.option) : none; })];
    }).concat(reasons.some(function (cell) { return cell[0] !== DASH; }) ? [["Why not", reasons]] : []);
  }

  function table(judged) {
    var made = element("table", "", "options"), head = made.createTHead().insertRow(), body = made.createTBody();
    var shown = columns(judged);
    function add(row, tag, text, column) {
      var cell = element(tag, text, column && column.taken ? "chosen" : "");
      row.appendChild(cell);
      return cell;
    }
    head.insertCell();
    shown.forEach(function (column) {
      var cell = add(head, "th", column.title, column);
      cell.scope = "col";
      if (column.taken) { cell.append(element("span", "the verdict", "mark")); }
    });
    rows(judged, shown).forEach(function (each, k) {
      var row = body.insertRow();
      if (k < 4) { row.className = "key"; }
      add(row, "th", each[0]).scope = "row";
      each[1].forEach(function (cell, j) {
        var filled = add(row, "td", cell[0], shown[j]);
        if (cell[1]) { filled.append(element("span", cell[1], "detail")); }
      });
    });
    return made;
  }

  /* ---- how they are billed ---- */

  function machines(count) { return count === 1 ? "1 machine" : count.toLocaleString("en-US") + " machines"; }

  function share(value) { return write.plain(100 * value) + " %"; }

  function billing(judged) {
    var asked = judged.asked, teacher = judged.teacher;
    if (asked.price_per_second !== null) {
      return "Only the seconds of each request are paid for, at " + usd(asked.price_per_second) + " a second" +
        (asked.price_per_request ? " and " + usd(asked.price_per_request) + " a request" : "") +
        ". The volume does not change the cost of a request.";
    }
    if (teacher.rps === null) {
      return "Costs follow the number of parameters, at " + usd(asked.price_per_billion) +
        " per 1,000 requests and billion. The volume does not change the cost of a request.";
    }
    if (asked.requests_per_month === null) {
      return "No volume is given. Only used seconds are paid for, at a utilization of " + share(asked.utilization) +
        ". With a volume, whole machines are paid for.";
    }
    return "At this volume whole machines are paid for: at least " + asked.min_replicas + ", " + monthOf(judged) +
      ", loaded up to " + share(asked.target_utilization) + " at the peak. " + counts(judged);
  }

  function monthOf(judged) {
    var asked = judged.asked, student = policy.replicaMonth(asked.price_per_hour, asked);
    var teacher = policy.replicaMonth(policy.pricePerHour(judged.teacher, asked), asked);
    return student === teacher ? usd(student) + " a month each"
      : usd(teacher) + " a month each for the teacher and " + usd(student) + " for a student";
  }

  /* The teacher needs 3 machines, x needs 1 and y needs 1. */
  function counts(judged) {
    var asked = judged.asked, seen = {};
    var found = columns(judged).map(function (column) { return column.option; }).filter(function (option) {
      var known = option === null || seen[option.name] || !policy.billsReplicas(option, asked);
      if (option) { seen[option.name] = true; }
      return !known;
    });
    var needs = found.map(function (option) { return policy.replicas(option.rps[0], asked); });
    if (needs.length === 0) { return ""; }
    if (needs.length > 1 && needs.every(function (count) { return count === needs[0]; })) {
      return "Every option needs " + machines(needs[0]) + ".";
    }
    return write.listed(found.map(function (option, k) {
      return (option.number === null ? "The teacher" : option.name) + " needs " +
        (k ? needs[k].toLocaleString("en-US") : machines(needs[k]));
    })) + ".";
  }

  return {
    element: element, sentence: sentence, badge: badge, weak: weak, figures: figures, table: table, billing: billing
  };
})();
