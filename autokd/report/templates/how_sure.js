/* How sure a verdict of policy.js is: repeats, what is at stake, and why it is weak, as autokd/decide/strength.py and
   at_stake.py have it. The sentences are theirs (explain/why_weak.py), with gaps that are filled here. */
var autokdHowSure = (function () {
  "use strict";

  var REPEATABLE = 0.9, DIFFERENT = 0.10, ROUNDING = 1e-9;
  var policy = autokdPolicy, write = autokdNumbers;

  /* repeatability: a share; points: a share; usd: per 1,000 requests, both at most; weaknesses: none if strong */
  function howSure(evidence, judged) {
    var words = evidence.sure.words, repeatability = policy.repeatability(evidence, judged);
    var options = refused(evidence, judged).concat(contested(evidence, judged), unpaid(evidence, judged));
    var told = repeatability < REPEATABLE
      ? [write.filled(words.repeats, { count: Math.floor(100 * repeatability) })] : [];
    var matter = options.filter(function (o) { return pointsMatter(judged, o.points) || usdMatters(judged, o.usd); });
    function most(field) { return Math.max.apply(null, [0].concat(options.map(function (o) { return o[field]; }))); }
    return {
      repeatability: repeatability,
      points: most("points"),
      usd: most("usd"),
      weaknesses: autokdFlaws.flaws(evidence, judged).concat(told, matter.map(function (o) { return o.why; }))
    };
  }

  function chosen(judged) { return judged.pick || judged.teacher; }

  function pointsMatter(judged, points) { return points > judged.asked.max_regret; }

  function usdMatters(judged, usd) {
    return isFinite(chosen(judged).cost) && usd >= DIFFERENT * chosen(judged).cost;
  }

  function has(numbers, student) { return numbers.indexOf(student.number) >= 0; }

  function numbered(students) { return students.map(function (s) { return s.number; }); }

  /* ---- refused as not good enough ---- */

  function refused(evidence, judged) {
    var open = judged.students.filter(function (s) { return isOpen(judged, s); });
    function admitting(students) { return policy.judgeAt(evidence, judged.asked, numbered(students)).verdict; }
    var matter = open.filter(function (s) { return admitting([s]) !== judged.verdict; }), alone = matter.length > 0;
    if (!alone && admitting(open) !== judged.verdict) { matter = open; }
    if (matter.length === 0) { return []; }
    var likely = policy.first(matter, function (a, b) {
      return a.retention > b.retention || (a.retention === b.retention && a.number < b.number);
    });
    var why = write.filled(evidence.sure.words.refused, {
      number: likely.number,
      name: likely.name,
      others: matter.length > 1 ? " (and " + (matter.length - 1) + " more)" : "",
      demand: demand(evidence, likely, shareToKeep(judged, likely)),
      verdict: evidence.sure.verdicts[admitting(alone ? [likely] : open)]
    });
    function most(of) { return Math.max.apply(null, matter.map(function (s) { return of(evidence, judged, s); })); }
    return [{ why: why, points: most(better), usd: most(saves) }];
  }

  /* Whether a student was refused for what its intervals leave open. */
  function isOpen(judged, student) {
    var asked = Object.assign({}, judged.asked, { min_retention: shareToKeep(judged, student) });
    return !has(judged.worthwhile, student) && policy.affordable(student, asked) &&
      policy.couldBeGoodEnough(student, asked) && !policy.goodEnough(student, asked);
  }

  /* The retention that would make a student count: all of it where nothing else says that it pays. */
  function shareToKeep(judged, student) {
    var unknown = judged.teacherEligible && judged.asked.requests_per_month === null;
    return Math.max(judged.asked.min_retention, unknown && !policy.halfPriced(student, judged.teacher) ? 1 : 0);
  }

  /* The first limit that a student is not shown to meet. */
  function demand(evidence, student, share) {
    if (student.low >= share - ROUNDING) { return student.demand; }
    return write.filled(evidence.sure.words.keep, { share: write.percentExact(share), interval: student.interval });
  }

  /* ---- distilled or not ---- */

  function contested(evidence, judged) {
    var distilled = judged.distilled, direct = judged.direct, verdict = judged.verdict;
    if (distilled === null) { return []; }
    var gain = policy.gain(evidence, distilled, judged.students), couldGain = gain === null || gain.high > 0;
    if (verdict === "keep_teacher" && couldGain) {
      return [notTaken(evidence, judged, better(evidence, judged, distilled), saves(evidence, judged, distilled))];
    }
    if (direct === null) { return []; }
    var advantage = policy.difference(evidence, distilled, direct), behind = -Math.max(advantage.low, -1);
    if (verdict === "use_small_model" && couldGain) {
      var open = couldBeAhead(judged, advantage) ? saves(evidence, judged, distilled) : 0;
      return [notTaken(evidence, judged, Math.min(Math.max(advantage.high, 0), 1), open)];
    }
    if (verdict !== "distill" || behind <= 0) { return []; }
    return [{ why: write.filled(evidence.sure.words.direct, { points: write.points(behind) }), points: behind, usd: 0 }];
  }

  function couldBeAhead(judged, advantage) {
    var distilled = judged.distilled, direct = judged.direct, asked = judged.asked;
    if (policy.decidedByCost(distilled, direct, asked)) { return distilled.cost < direct.cost; }
    return advantage.high > Math.max(asked.min_gain, 0) ||
      (policy.cheaper(distilled.cost, direct.cost) && advantage.high > -asked.min_gain);
  }

  /* The distilled pick: what matters of what it could be better by, and what is not shown. */
  function notTaken(evidence, judged, points, usd) {
    var words = evidence.sure.words, volume = judged.asked.requests_per_month, distilled = judged.distilled, parts = [];
    if (pointsMatter(judged, points)) { parts.push(write.filled(words.accurate, { points: write.points(points) })); }
    if (usdMatters(judged, usd)) {
      parts.push(write.filled(words.cheap, volume === null ? { usd: write.usd(usd), per: "per 1,000 requests" }
        : { usd: write.usd(usd * volume / 1000), per: "a month" }));
    }
    var why = write.filled(words.distilled, {
      number: distilled.number,
      name: distilled.name,
      better: write.listed(parts),
      chosen: judged.pick ? "the direct pick" : "the teacher",
      unshown: unshown(evidence, judged)
    });
    return { why: why, points: points, usd: usd };
  }

  function unshown(evidence, judged) {
    var words = evidence.sure.words, distilled = judged.distilled, direct = judged.direct;
    if (direct && policy.decidedByCost(distilled, direct, judged.asked) && direct.cost < distilled.cost) {
      return words.savings;
    }
    if (distilled.unshown_gain || direct === null) { return distilled.unshown_gain; }
    var ends = policy.difference(evidence, distilled, direct);
    var range = write.pointsRange(Math.max(ends.low, -1), Math.min(ends.high, 1));
    return write.filled(words.advantage, { interval: evidence.sure.level + " interval " + range });
  }

  /* ---- whether it pays ---- */

  /* A cheaper student that was passed over only because nobody said how many requests there are. */
  function unpaid(evidence, judged) {
    var asked = judged.asked;
    if (asked.requests_per_month !== null || !judged.teacherEligible) { return []; }
    var passedOver = judged.students.filter(function (s) {
      return policy.affordable(s, asked) && policy.couldBeGoodEnough(s, asked) && !has(judged.worthwhile, s) &&
        policy.cheaper(s.cost, judged.teacher.cost);
    });
    if (passedOver.length === 0) { return []; }
    var open = passedOver.filter(function (s) { return !has(judged.eligible, s); });
    return unpaidAmong(evidence, judged, passedOver, []) ||
      (open.length && unpaidAmong(evidence, judged, passedOver, numbered(open))) || [];
  }

  /* The first volume at which one of these students is taken; null where there is none. */
  function unpaidAmong(evidence, judged, passedOver, admitted) {
    var asked = judged.asked, words = evidence.sure.words, found = null;
    autokdSensitivity.byVolume(evidence, judged, admitted).some(function (change) {
      var pick = policy.judgeAt(evidence, Object.assign({}, asked, { requests_per_month: change.near }), admitted).pick;
      var student = pick && passedOver.find(function (s) { return s.number === pick.number; });
      if (!student || change.verdict === judged.verdict) { return false; }
      var sentence = has(judged.eligible, student) ? words.unpaid : words.refused_unpaid;
      found = [{
        why: write.filled(sentence, {
          name: student.name,
          number: student.number,
          demand: demand(evidence, student, asked.min_retention),
          clause: change.clause
        }),
        points: 0,
        usd: saves(evidence, judged, student)
      }];
      return true;
    });
    return found;
  }

  /* ---- what an option could be better by ---- */

  /* Accuracy that a student could have more than what was chosen. */
  function better(evidence, judged, student) {
    var pick = judged.pick, teacher = judged.teacher, most;
    if (pick !== null && student.arm !== pick.arm) {
      most = student.arm === "distill" ? Math.min(policy.difference(evidence, student, pick).high, 1)
        : -Math.max(policy.difference(evidence, pick, student).low, -1);
    } else {
      most = (student.high - chosen(judged).retention) * evidence.teacher_accuracy;
    }
    return Math.max(most, 0);
  }

  /* Dollars per 1,000 requests that a student could cost less than what was chosen. */
  function saves(evidence, judged, student) {
    var kept = chosen(judged);
    return isFinite(kept.most) && policy.cheaper(student.cost, kept.cost) ? Math.max(kept.most - student.least, 0) : 0;
  }

  return { howSure: howSure };
})();
