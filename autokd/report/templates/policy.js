/* The rules of the verdict and the formulas of cost, as autokd/decide/policy.py, policy_limits.py, economics.py and
   autokd/cost/dollars.py have them. tests/report/test_page_policy.py holds that both say the same.

   evidence: what sections/what_if.py embeds. given: settings by the names of `autokd decide` that differ from it. */
var autokdPolicy = (function () {
  "use strict";

  var ROUNDING = 1e-9, REPLICA_ROUNDING = 1e-12, HALF = 0.5, DIFFERENT = 0.10, HOURS = 730;
  var SERVING = ["price_per_hour", "teacher_price_per_hour", "price_per_second", "price_per_request",
    "billing_increment_ms", "billing_minimum_ms", "utilization", "accelerators_per_replica", "requests_per_month",
    "min_replicas", "peak_to_mean", "target_utilization", "price_per_billion"];

  /* ---- settings and costs ---- */

  function settings(evidence, given) {
    var asked = Object.assign({}, evidence.settings, given);
    if ("price_per_hour" in given) { asked.price_per_second = null; }
    return asked;
  }

  function costOfCapacity(rps, price, asked) {
    if (!(rps > 0)) { return Infinity; }
    var volume = asked.requests_per_month;
    if (volume !== null) { return replicas(rps, asked) * replicaMonth(price, asked) / volume * 1000; }
    return price * asked.accelerators_per_replica / 3600 * 1000 / (rps * asked.utilization);
  }

  /* Whether an option is paid for by whole replicas: there is a volume, and nobody bills by use or by parameters. */
  function billsReplicas(option, asked) {
    return asked.requests_per_month !== null && asked.price_per_second === null &&
      option.rps !== null && finite(option.rps[0]) > 0;
  }

  /* How many replicas a volume needs, of so many requests a second each. */
  function replicas(rps, asked) {
    var peak = asked.requests_per_month / (HOURS * 3600) * asked.peak_to_mean;
    var wanted = peak / (rps * asked.target_utilization);
    return Math.max(asked.min_replicas, Math.ceil(wanted * (1 - REPLICA_ROUNDING)));
  }

  /* Dollars a month of one replica. */
  function replicaMonth(price, asked) { return price * asked.accelerators_per_replica * HOURS; }

  /* Dollars an hour of an option's machine. */
  function pricePerHour(option, asked) {
    var teachers = option.number === null && asked.teacher_price_per_hour !== null;
    return teachers ? asked.teacher_price_per_hour : asked.price_per_hour;
  }

  function costOfUse(seconds, asked) {
    var steps = Math.ceil(seconds * 1000 / asked.billing_increment_ms * (1 - REPLICA_ROUNDING));
    var billed = Math.max(steps * asked.billing_increment_ms, asked.billing_minimum_ms) / 1000;
    return 1000 * (billed * asked.price_per_second + asked.price_per_request);
  }

  function finite(value) { return value === null ? Infinity : value; }

  /* Dollars per 1,000 requests of an option: mean, low and high; null where they cannot be told. */
  function costs(evidence, option, asked) {
    var known = option.cost.map(finite), was = evidence.settings, rps = option.rps;
    if (SERVING.every(function (name) { return asked[name] === was[name]; })) { return known; }
    if (rps === null) {
      return known.map(function (cost) { return cost * asked.price_per_billion / was.price_per_billion; });
    }
    if (asked.price_per_second !== null && finite(rps[0]) > 0) {
      return option.alone && option.alone.map(function (seconds) { return costOfUse(seconds, asked); });
    }
    var price = pricePerHour(option, asked);
    return [rps[0], rps[2], rps[1]].map(function (each) { return costOfCapacity(finite(each), price, asked); });
  }

  /* The option at its cost: mean, both ends, and the standard deviation of another reading as a share. */
  function priced(evidence, option, asked) {
    var ends = costs(evidence, option, asked) || [null, null, null], cost = ends[0];
    var sure = cost === null || !isFinite(ends[1]) || !isFinite(ends[2]) || !(cost > 0);
    var spread = sure ? 0 : (ends[2] - ends[1]) / 2 / option.z / cost;
    return Object.assign({}, option, { cost: cost, least: ends[1], most: ends[2], spread: spread });
  }

  function costsDiffer(a, b) {
    return Math.abs(a - b) >= DIFFERENT * Math.max(a, b) * (1 - ROUNDING) && a !== b;
  }

  function cheaper(a, b) { return a < b && costsDiffer(a, b); }

  /* ---- limits ---- */

  var SERVING_LIMITS = {
    max_cost: function (option, limit) { return option.cost <= limit * (1 + ROUNDING); },
    max_latency_ms: function (option, limit) {
      return option.latency !== null && option.latency <= limit * (1 + ROUNDING);
    }
  };
  var QUALITY_LIMITS = {
    min_retention: function (option, limit) { return option.low >= limit - ROUNDING; },
    max_negative_flips: function (option, limit) { return option.flips[1] <= limit + ROUNDING; },
    min_class_recall: function (option, limit) { return option.recall[0] >= limit - ROUNDING; }
  };

  /* The limits that an option is not shown to meet, by the names of their settings. */
  function missed(limits, option, asked) {
    return Object.keys(limits).filter(function (name) {
      return asked[name] !== null && !limits[name](option, asked[name]);
    });
  }

  function missedServing(option, asked) { return missed(SERVING_LIMITS, option, asked); }

  function missedQuality(option, asked) { return missed(QUALITY_LIMITS, option, asked); }

  function affordable(option, asked) { return missedServing(option, asked).length === 0; }

  function goodEnough(option, asked) { return missedQuality(option, asked).length === 0; }

  /* Whether no interval rules that out. */
  function couldBeGoodEnough(option, asked) {
    var flips = asked.max_negative_flips, recall = asked.min_class_recall;
    return option.high >= asked.min_retention && (flips === null || option.flips[0] <= flips) &&
      (recall === null || option.recall[1] >= recall);
  }

  /* ---- choices ---- */

  function first(options, before) {
    return options.reduce(function (best, option) {
      return best === null || before(option, best) ? option : best;
    }, null);
  }

  function preferred(options, asked) {
    if (options.length === 0) { return null; }
    if (asked.prefer === "savings") {
      var least = Math.min.apply(null, options.map(function (o) { return o.cost; }));
      var cheapest = options.filter(function (o) { return !costsDiffer(o.cost, least); });
      return first(cheapest, function (a, b) { return a.val > b.val || (a.val === b.val && a.cost < b.cost); });
    }
    var best = Math.max.apply(null, options.map(function (o) { return o.val; }));
    var near = options.filter(function (o) { return o.val >= best - asked.min_gain - ROUNDING; });
    return first(near, function (a, b) { return a.cost < b.cost || (a.cost === b.cost && a.val > b.val); });
  }

  function bestForm(forms, asked) {
    var good = forms.filter(function (form, k) { return k === 0 || goodEnough(form, asked); });
    var within = good.filter(function (form) { return affordable(form, asked); });
    return preferred(within, asked) || first(good, function (a, b) { return a.cost < b.cost; });
  }

  function halfPriced(student, teacher) { return student.cost <= HALF * teacher.cost * (1 + ROUNDING); }

  /* Dollars that a student saves over the horizon. */
  function horizonSaving(student, teacher, asked) {
    return (teacher.cost - student.cost) / 1000 * asked.requests_per_month * asked.horizon_months;
  }

  function pays(student, teacher, oneTime, asked, kept) {
    if (asked.requests_per_month !== null) { return horizonSaving(student, teacher, asked) > oneTime; }
    return halfPriced(student, teacher) || (cheaper(student.cost, teacher.cost) && kept >= 1 - ROUNDING);
  }

  /* ---- the verdict ---- */

  function judge(evidence, given) { return judgeAt(evidence, settings(evidence, given), []); }

  /* The same with all settings; finalists `admitted` count as keeping as much accuracy as their interval allows. */
  function judgeAt(evidence, asked, admitted) {
    function at(option) { return priced(evidence, option, asked); }
    var forms = evidence.forms.map(at), students = evidence.students.map(at);
    if (forms.concat(students).some(function (o) { return o.cost === null; })) { return null; }
    return decide(evidence, asked, forms, students, admitted);
  }

  /* Accuracy of a distilled student minus a direct one's; `move`: how far an accuracy has moved in a repeat. */
  function difference(evidence, a, b) {
    var ends = evidence.differences[a.number + "," + b.number], by = (a.move || 0) - (b.move || 0);
    return { mean: ends[0] + by, low: ends[1] + by, high: ends[2] + by };
  }

  /* What distilling did for a student; null without its twin. */
  function gain(evidence, student, students) {
    var twin = students.find(function (s) { return s.number === student.twin; });
    return twin === undefined ? null : difference(evidence, student, twin);
  }

  function decidedByCost(distilled, direct, asked) {
    return asked.prefer === "savings" && costsDiffer(distilled.cost, direct.cost);
  }

  /* The options at their costs. */
  function decide(evidence, asked, forms, students, admitted) {
    var teacher = bestForm(forms, asked), oneTime = evidence.spent + asked.adoption_usd;
    var teacherEligible = affordable(teacher, asked);
    function isAdmitted(student) { return admitted.indexOf(student.number) >= 0; }
    var eligible = students.filter(function (s) {
      return affordable(s, asked) && (isAdmitted(s) || goodEnough(s, asked));
    });
    var worthwhile = eligible.filter(function (s) {
      return !teacherEligible || pays(s, teacher, oneTime, asked, isAdmitted(s) ? s.high : s.low);
    });

    function gains(student) {
      var found = gain(evidence, student, students);
      return found !== null && found.low > 0;
    }
    function outdone(direct, distilled) {
      return difference(evidence, distilled, direct).low > 0 && cheaper(distilled.cost, direct.cost);
    }
    function picks(tried, rivals) {
      var distilled = preferred(tried, asked), direct = preferred(rivals, asked);
      if (distilled && direct && outdone(direct, distilled)) {
        direct = preferred(rivals.filter(function (s) { return !outdone(s, distilled); }), asked);
      }
      return { distilled: distilled, direct: direct };
    }
    function isAhead(distilled, direct) {
      var advantage = difference(evidence, distilled, direct);
      if (advantage.low > 0 && advantage.mean >= asked.min_gain - ROUNDING) { return true; }
      return cheaper(distilled.cost, direct.cost) && advantage.low > -asked.min_gain;
    }
    function isPreferred(distilled, direct) {
      return decidedByCost(distilled, direct, asked) ? distilled.cost < direct.cost : isAhead(distilled, direct);
    }
    function verdict(distilled, direct) {
      if (distilled && direct) {
        return gains(distilled) && isPreferred(distilled, direct) ? "distill" : "use_small_model";
      }
      if (distilled) { return gains(distilled) || !teacherEligible ? "distill" : "keep_teacher"; }
      if (direct) { return "use_small_model"; }
      return teacherEligible ? "keep_teacher" : "none";
    }

    var tried = worthwhile.filter(function (s) { return s.arm === "distill"; });
    var rivals = worthwhile.filter(function (s) { return s.arm === "direct"; });
    var found = picks(tried, rivals), proven = tried.filter(gains);
    if (teacherEligible && found.direct === null && proven.length) { found = picks(proven, rivals); }
    var word = verdict(found.distilled, found.direct);
    return {
      verdict: word,
      asked: asked,
      teacher: teacher,
      forms: forms,
      students: students,
      teacherEligible: teacherEligible,
      gains: gains,
      eligible: eligible.map(function (s) { return s.number; }),
      worthwhile: worthwhile.map(function (s) { return s.number; }),
      distilled: found.distilled,
      direct: found.direct,
      pick: word === "distill" ? found.distilled : word === "use_small_model" ? found.direct : null,
      oneTime: oneTime
    };
  }

  /* ---- repeats ---- */

  /* The share of repeats that end in the same verdict, by the draws of autokd/decide/repeats.py. */
  function repeatability(evidence, judged) {
    var drawn = evidence.repeats, base = evidence.teacher_accuracy;
    var same = drawn.tests.filter(function (tests, draw) {
      function again(option) {
        var by = drawn.costs[draw][drawn.models.indexOf(option.name)];
        return Object.assign({}, option, { cost: option.cost * Math.exp(by * option.spread + drawn.drift[draw]) });
      }
      var students = judged.students.map(function (option, k) {
        var student = again(option), kept = option.retention;
        student.move = tests[k + 1];
        student.val += drawn.vals[draw][k];
        student.low += (kept * base + student.move) / Math.max(base + tests[0], 1e-9) - kept;
        student.flips = [null, option.flips[1] + tests[0] - student.move];
        student.recall = option.recall && [option.recall[0] + drawn.recalls[draw][k] * option.recall[2]];
        return student;
      });
      return decide(evidence, judged.asked, judged.forms.map(again), students, []).verdict === judged.verdict;
    });
    return same.length / drawn.tests.length;
  }

  return {
    judge: judge, judgeAt: judgeAt, decide: decide, pays: pays, preferred: preferred, priced: priced, costs: costs, repeatability: repeatability,
    cheaper: cheaper, affordable: affordable, goodEnough: goodEnough, couldBeGoodEnough: couldBeGoodEnough,
    missedServing: missedServing, missedQuality: missedQuality, halfPriced: halfPriced, pays: pays,
    horizonSaving: horizonSaving, billsReplicas: billsReplicas, replicas: replicas, replicaMonth: replicaMonth,
    pricePerHour: pricePerHour, difference: difference, gain: gain, decidedByCost: decidedByCost, first: first
  };
})();
