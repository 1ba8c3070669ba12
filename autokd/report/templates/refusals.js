/* Why an option is not taken, in a few words: the cases of autokd/decide/explain/refusals.py, asked of policy.js. */
var autokdRefusals = (function () {
  "use strict";

  var policy = autokdPolicy, write = autokdNumbers;

  var LIMITS = {
    max_cost: function (option) {
      return isFinite(option.cost) ? "over the budget" : "cannot serve within the latency limit";
    },
    max_latency_ms: function (option) {
      return option.latency === null ? "its latency was not measured" : "over the latency limit";
    },
    min_retention: function (option, limit) {
      return option.high < limit ? "keeps too little accuracy"
        : "not shown to keep enough accuracy (" + write.percent(option.low) + " at the lower end)";
    },
    max_negative_flips: function () { return "gets too many images wrong that the teacher gets right"; },
    min_class_recall: function () { return "recognises too little of one class"; }
  };

  /* Finalists that stand for an arm without a pick: eligible before not, then by validation accuracy. */
  function closest(judged, students) {
    function rank(s) { return [judged.eligible.indexOf(s.number) < 0 ? 1 : 0, -s.val, s.cost, s.number]; }
    return policy.first(students, function (a, b) {
      var x = rank(a), y = rank(b), k = x.findIndex(function (value, i) { return value !== y[i]; });
      return k >= 0 && x[k] < y[k];
    });
  }

  /* The limits that an option is not shown to meet, by the names of their settings. */
  function missed(judged, option) {
    var serving = policy.missedServing(option, judged.asked);
    return option.number === null ? serving : serving.concat(policy.missedQuality(option, judged.asked));
  }

  /* Nothing for the option that is taken. */
  function why(judged, option) {
    var asked = judged.asked;
    var limits = missed(judged, option).map(function (name) { return LIMITS[name](option, asked[name]); });
    if (limits.length || option.number === null) { return limits.join("; "); }
    if (judged.worthwhile.indexOf(option.number) < 0) { return unpaid(judged, option); }
    return judged.pick && judged.pick.number === option.number ? "" : notTaken(judged, option);
  }

  function unpaid(judged, student) {
    var asked = judged.asked, teacher = judged.teacher;
    if (asked.requests_per_month !== null) {
      var saved = policy.horizonSaving(student, teacher, asked);
      if (saved > 0) {
        return "saves " + write.usd(saved) + " in " + asked.horizon_months + " months, not more than the " +
          write.usd(judged.oneTime) + " that it costs once";
      }
      return sameMachines(student, teacher, asked) ||
        (saved < 0 ? "costs more than the teacher" : "costs as much as the teacher");
    }
    if (!policy.cheaper(student.cost, teacher.cost)) { return "not clearly cheaper than the teacher"; }
    return "costs more than half of the teacher, and is not shown to keep all of its accuracy; give a volume";
  }

  /* A volume at which a student needs as many machines as the teacher, of the same price. */
  function sameMachines(student, teacher, asked) {
    if (!policy.billsReplicas(student, asked) || !policy.billsReplicas(teacher, asked)) { return ""; }
    var count = policy.replicas(student.rps[0], asked);
    if (count !== policy.replicas(teacher.rps[0], asked) ||
        policy.pricePerHour(student, asked) !== policy.pricePerHour(teacher, asked)) { return ""; }
    if (count > asked.min_replicas) { return "needs " + count + " machines, as many as the teacher"; }
    return count === 1 ? "one machine is the least, and one is enough for the teacher too"
      : count + " machines are the least, and they are enough for the teacher too";
  }

  /* A student that is worth the change, where another option is better. */
  function notTaken(judged, student) {
    var distilled = judged.distilled, direct = judged.direct;
    if (student.arm === "direct") {
      if (student !== direct) { return "costs more than the distilled model, and is less accurate"; }
      return distilled && policy.decidedByCost(distilled, student, judged.asked)
        ? "costs more than the distilled model" : "behind the distilled model";
    }
    if (!judged.gains(student)) { return "no gain from distilling is shown"; }
    return direct && policy.decidedByCost(student, direct, judged.asked)
      ? "costs more than the direct model" : "not shown to be ahead of the direct model";
  }

  return { why: why, closest: closest, missed: missed };
})();
