/* Flaws of the evidence that no number covers, as autokd/decide/flaws.py has them; those that do not depend on the
   settings come ready. */
var autokdFlaws = (function () {
  "use strict";

  var ROUNDING = 1e-9, policy = autokdPolicy, write = autokdNumbers;

  function flaws(evidence, judged) {
    var sources = [weightsSeen, untried, oneSeed, unfinished, borrowed, otherForms];
    return evidence.sure.fixed.concat(sources.flatMap(function (source) { return source(evidence, judged); }));
  }

  function picks(judged) { return [judged.distilled, judged.direct].filter(Boolean); }

  function unique(list) { return list.filter(function (item, k) { return list.indexOf(item) === k; }); }

  function weightsSeen(evidence, judged) {
    var names = picks(judged).filter(function (s) { return s.seen_test; }).map(function (s) { return s.name; });
    return names.length ? [write.filled(evidence.sure.words.weights_seen, { names: write.listed(unique(names)) })] : [];
  }

  function untried(evidence, judged) {
    if (evidence.sure.budget === null) { return []; }
    var asked = judged.asked, budget = policy.costs(evidence, evidence.sure.budget, asked)[0];
    if (asked.max_cost <= budget * (1 + ROUNDING)) { return []; }
    return [write.filled(evidence.sure.words.untried, { budget: write.usd(budget), max_cost: write.plain(asked.max_cost) })];
  }

  function oneSeed(evidence, judged) {
    var twin = judged.distilled && judged.students.find(function (s) { return s.number === judged.distilled.twin; });
    var single = unique(picks(judged).concat(twin || [])).filter(function (s) { return s.one_seed; });
    var finalists = write.listed(single.map(function (s) { return "finalist " + s.number + " (" + s.name + ")"; }));
    return single.length
      ? [write.filled(evidence.sure.words.one_seed, { finalists: finalists.replace("f", "F") })] : [];
  }

  function unfinished(evidence, judged) {
    var trained = judged.students.filter(function (s) { return !s.untrained && policy.affordable(s, judged.asked); });
    if (judged.pick !== null || trained.length === 0) { return []; }
    var best = policy.first(trained, function (a, b) { return a.val > b.val || (a.val === b.val && a.number < b.number); });
    return best.improving === null ? [] : [best.improving];
  }

  /* A price of another machine, where the right one may flip the verdict; a price that was given is nobody else's. */
  function borrowed(evidence, judged) {
    var asked = judged.asked;
    return evidence.sure.borrowed.flatMap(function (price) {
      var current = asked[price.setting];
      if (asked.price_per_second !== null || current !== evidence.settings[price.setting]) { return []; }
      function effort(change) { return Math.abs(Math.log(change.near / current)); }
      var flips = autokdSensitivity.byPrice(evidence, asked, price);
      var nearest = policy.first(flips, function (a, b) { return effort(a) < effort(b); });
      return nearest === null ? [] : [write.filled(price.sentence, { clause: nearest.clause })];
    });
  }

  /* The verdict would be another one if teacher and picks stood each in its best form. */
  function otherForms(evidence, judged) {
    if (!judged.students.some(function (s) { return s.measured_forms; })) { return []; }
    var other = autokdStudentForms.judgeInBest(evidence, judged), words = evidence.sure.words;
    if (other.verdict === judged.verdict) { return []; }
    var standing = other.students.filter(function (s) { return "form_val" in s; });
    var pick = standing.filter(function (s) { return s === other.pick; }), told = pick.length ? pick : standing;
    return [write.filled(words.other_forms, {
      served: write.listed(told.map(function (s) { return write.filled(s.served, { cost: write.usd(s.cost) }); })),
      verdict: evidence.sure.verdicts[other.verdict],
      commands: write.listed(told.map(function (s) { return s.command; })),
      it: told.length === 1 ? "it" : "them"
    })];
  }

  return { flaws: flaws };
})();
