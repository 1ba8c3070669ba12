/* Students in other forms than the run's, as autokd/decide/best_forms.py weighs them: teacher and picks each in its best. */
var autokdStudentForms = (function () {
  "use strict";

  var policy = autokdPolicy;

  /* The verdict where every student that was measured in other forms stands in its best. */
  function judgeInBest(evidence, judged) {
    var students = judged.students.map(function (s) { return best(evidence, judged, s); }), lost = {};
    students.forEach(function (s) { if (s.measured_forms) { lost[s.number] = s.lost || 0; } });
    var differences = {};
    Object.keys(evidence.differences).forEach(function (pair) {
      var numbers = pair.split(","), both = numbers.every(function (n) { return n in lost; });
      var by = both ? lost[numbers[0]] - lost[numbers[1]] : 0;
      differences[pair] = evidence.differences[pair].map(function (end) { return end - by; });
    });
    return policy.decide(Object.assign({}, evidence, { differences: differences }), judged.asked, judged.forms, students, []);
  }

  /* The form in which a student would be served: good enough, worthwhile if any is, then by what is preferred. */
  function best(evidence, judged, student) {
    var asked = judged.asked, good = [student].concat(others(evidence, asked, student));
    var fitting = good.filter(function (form) { return policy.affordable(form, asked); });
    var paying = fitting.filter(function (form) {
      return !judged.teacherEligible || policy.pays(form, judged.teacher, judged.oneTime, asked, form.low);
    });
    return policy.preferred([paying, fitting, good].find(function (forms) { return forms.length > 0; }), asked);
  }

  /* Those that cost less and are good enough, on validation as on test, cheapest first. */
  function others(evidence, asked, student) {
    var least = asked.min_retention * evidence.teacher_to_keep;
    return student.other_forms.map(function (form) {
      return Object.assign({}, student, policy.priced(evidence, form, asked));
    }).filter(function (form) {
      return form.cost !== null && policy.cheaper(form.cost, student.cost) &&
        policy.goodEnough(form, asked) && form.form_val >= least;
    }).sort(function (a, b) { return a.cost - b.cost; });
  }

  return { judgeInBest: judgeInBest };
})();
