/* Where along one number of the conditions the verdict changes, as autokd/decide/sensitivity.py finds it.

   dial: current, low and high; verdict, a function of a value; breaks, values at which it may change for a moment;
   value, which writes one; less, the word for a smaller one. A region has its ends near and far (null: on and on), its
   verdict, and whether it lies up or down. */
var autokdSensitivity = (function () {
  "use strict";

  var STEPS = 64, REGIONS = 2, CLOSE = 1e-9, SLIVER = 1e-3, FINE = Math.pow(2, 44);
  var VOLUMES = [1, 1e11], REPLICAS = 64, SECONDS = 730 * 3600;

  /* Where the walk to an end looks. */
  function stops(dial, end) {
    var ratio = Math.pow(end / dial.current, 1 / STEPS), found = [], step;
    for (step = 1; step < STEPS; step++) { found.push(dial.current * Math.pow(ratio, step)); }
    dial.breaks.forEach(function (at) { found.push(at * (1 - CLOSE), at * (1 + CLOSE)); });
    var low = Math.min(dial.current, end), high = Math.max(dial.current, end), sign = end < dial.current ? -1 : 1;
    return found.filter(function (at) { return low < at && at < high; })
      .sort(function (a, b) { return sign * (a - b); }).concat(end);
  }

  /* The first value found at which the verdict is no longer the one before. */
  function crossing(dial, before, after, verdict) {
    function at(step) { return step === FINE ? after : before * Math.pow(after / before, step / FINE); }
    var low = 0, high = FINE;
    while (low < high) {
      var middle = Math.floor((low + high) / 2);
      if (dial.verdict(at(middle)) !== verdict) { high = middle; } else { low = middle + 1; }
    }
    return at(low);
  }

  /* Values just past every boundary on the way to an end, each with the verdict there. */
  function edges(dial, end) {
    var at = dial.current, verdict = dial.verdict(at), found = [];
    stops(dial, end).forEach(function (ahead) {
      while (dial.verdict(ahead) !== verdict) {
        at = crossing(dial, at, ahead, verdict);
        verdict = dial.verdict(at);
        found.push({ at: at, verdict: verdict });
      }
      at = ahead;
    });
    return found;
  }

  /* The value on the near side of an edge. */
  function boundary(dial, edge, verdict) {
    var side = [edge * (1 - CLOSE), edge * (1 + CLOSE)].find(function (at) { return dial.verdict(at) === verdict; });
    return side === undefined ? edge : side;
  }

  /* The shortest number on the far side of a value that still has its verdict. */
  function rounded(dial, value, verdict, up) {
    for (var digits = 3; digits < 10; digits++) {
      var candidate = autokdNumbers.roundedOut(value, up, digits);
      if (dial.low <= candidate && candidate <= dial.high && dial.verdict(candidate) === verdict) { return candidate; }
    }
    return value;
  }

  /* The stretches between edges, nearest first, whose verdict is not today's. */
  function regions(dial, found, today, up) {
    return found.flatMap(function (edge, k) {
      var next = found[k + 1], far = null;
      if (edge.verdict === today || (next && Math.abs(Math.log(next.at / edge.at)) < SLIVER)) { return []; }
      if (next) { far = rounded(dial, boundary(dial, next.at, edge.verdict), edge.verdict, !up); }
      return [{ near: rounded(dial, edge.at, edge.verdict, up), far: far, verdict: edge.verdict, up: up }];
    }).slice(0, REGIONS);
  }

  /* In both directions. */
  function turned(dial) {
    var today = dial.verdict(dial.current);
    return regions(dial, edges(dial, dial.low), today, false).concat(regions(dial, edges(dial, dial.high), today, true));
  }

  /* From the highest value downwards, where there is no current one and the verdict without one is today's. */
  function downwards(dial, today) {
    var found = edges(dial, dial.low), top = dial.verdict(dial.current), above = [];
    if (top !== today) {
      var near = found.length ? rounded(dial, boundary(dial, found[0].at, top), top, true) : dial.low;
      above = [{ near: near, far: null, verdict: top, up: true }];
    }
    return above.concat(regions(dial, found, today, false));
  }

  /* A region in words. */
  function span(dial, region) {
    var near = dial.value(region.near);
    if (region.far === null) { return near + " or " + (region.up ? "more" : dial.less); }
    var far = dial.value(region.far);
    return near === far ? near : region.up ? near + " to " + far : far + " to " + near;
  }

  /* ---- dials ---- */

  function dialOf(evidence, asked, setting, admitted, given) {
    return Object.assign({
      verdict: function (value) {
        var changed = Object.assign({}, asked);
        changed[setting] = value;
        return autokdPolicy.judgeAt(evidence, changed, admitted).verdict;
      }
    }, given);
  }

  /* Changes with the sentence part that names each. */
  function told(evidence, dial, phrase, changes) {
    return changes.map(function (change) {
      var words = autokdNumbers.filled(phrase, { span: span(dial, change) });
      return Object.assign({ clause: words + " " + evidence.sure.verdicts[change.verdict] }, change);
    });
  }

  /* Flips within the range of a borrowed price. */
  function byPrice(evidence, asked, price) {
    var current = asked[price.setting];
    var dial = dialOf(evidence, asked, price.setting, [], {
      current: current, low: Math.min(price.low, current), high: Math.max(price.high, current), breaks: [],
      value: autokdNumbers.usdExact, less: "less"
    });
    return told(evidence, dial, price.phrase, turned(dial));
  }

  /* Along the volume, where none was given; models gain replicas at its breaks. */
  function byVolume(evidence, judged, admitted) {
    var asked = judged.asked, fleet = evidence.measured && asked.price_per_second === null, breaks = [];
    var speeds = fleet ? [judged.teacher].concat(judged.students).map(function (option) { return option.rps[0]; }) : [];
    new Set(speeds.filter(Boolean)).forEach(function (rps) {
      var replicas = asked.peak_to_mean / SECONDS / (rps * asked.target_utilization);  /* for one request a month */
      for (var k = 1; k <= REPLICAS; k++) { breaks.push(k / replicas); }
    });
    var dial = dialOf(evidence, asked, "requests_per_month", admitted, {
      current: VOLUMES[1], low: VOLUMES[0], high: VOLUMES[1], breaks: breaks,
      value: autokdNumbers.shortCount, less: "fewer"
    });
    var today = autokdPolicy.judgeAt(evidence, asked, admitted).verdict;
    return told(evidence, dial, evidence.sure.words[fleet ? "fleet" : "volume"], downwards(dial, today));
  }

  return { byPrice: byPrice, byVolume: byVolume };
})();
