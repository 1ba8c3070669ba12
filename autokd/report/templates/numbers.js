/* Numbers and sentences as autokd/formatting.py writes them. */
var autokdNumbers = (function () {
  "use strict";

  function usd(value) {
    if (!isFinite(value)) { return "unlimited"; }
    var size = Math.abs(value), sign = value < 0 ? "\u2212" : "";
    if (size >= 10000) { return sign + "$" + Math.round(size).toLocaleString("en-US"); }
    if (size >= 1 || size === 0) { return sign + "$" + size.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }); }
    var text = size.toFixed(Math.min(2 - Math.floor(Math.log10(size)), 20)).replace(/0+$/, "");
    return sign + "$" + text.replace(/\.(\d?)$/, function (_, digit) { return "." + (digit + "00").slice(0, 2); });
  }

  /* Dollars per 1,000 requests, per million where that is below a tenth of a cent. */
  function perRequests(cost) { return cost < 0.001 ? [usd(1000 * cost), "million"] : [usd(cost), "1,000"]; }

  /* Without losing a digit. */
  function usdExact(value) {
    var text = usd(value);
    return Number(text.replace(/[$,]/g, "")) === value ? text : "$" + value;
  }

  function large(value) {
    var units = [[1e9, " billion"], [1e6, " M"], [1e3, " k"]];
    for (var k = 0; k < units.length; k++) {
      if (value >= units[k][0]) { return String(Number((value / units[k][0]).toPrecision(3))) + units[k][1]; }
    }
    return String(Math.ceil(value));
  }

  /* A count that loses no digit: 83,400, but 6.52 M from a million on. */
  function shortCount(value) {
    var million = value >= 1e6, size = Number((million ? value / 1e6 : value).toPrecision(10));
    return size.toLocaleString("en-US", { maximumFractionDigits: 20 }) + (million ? " M" : "");
  }

  function percent(share) { return (100 * share).toFixed(1) + " %"; }

  function percentExact(share) { return Number((100 * share).toPrecision(10)) + " %"; }

  function bare(share) { return (100 * share).toFixed(2); }

  function points(share) { return bare(share) + " points"; }

  /* -0.40 to +1.37 points */
  function pointsRange(low, high) {
    return (low < 0 ? "" : "+") + bare(low) + " to " + (high < 0 ? "" : "+") + points(high);
  }

  function plain(value) { return String(Number(value.toPrecision(12))); }

  /* 10M, 3e6, 1,000,000 */
  function parsed(text) {
    var found = /^([\d.,]+(?:e[+-]?\d+)?)\s*([kMG]?)$/i.exec(text.trim());
    var factor = { k: 1e3, m: 1e6, g: 1e9 };
    return found ? Number(found[1].replace(/,/g, "")) * (factor[found[2].toLowerCase()] || 1) : NaN;
  }

  /* The next number of so many significant digits that is not below (up) or not above a value. */
  function roundedOut(value, up, digits) {
    var step = Math.pow(10, Math.floor(Math.log10(Math.abs(value))) - digits + 1), steps = value / step;
    return Number(((up ? Math.ceil(steps - 1e-9) : Math.floor(steps + 1e-9)) * step).toPrecision(digits));
  }

  function listed(parts) {
    return parts.length < 2 ? parts.join("") : parts.slice(0, -1).join(", ") + " and " + parts[parts.length - 1];
  }

  /* A sentence with its {gaps} filled. */
  function filled(sentence, values) {
    return sentence.replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }

  return {
    usd: usd, usdExact: usdExact, perRequests: perRequests, large: large, shortCount: shortCount, percent: percent, percentExact: percentExact,
    points: points, pointsRange: pointsRange, plain: plain, parsed: parsed, roundedOut: roundedOut, listed: listed,
    filled: filled
  };
})();
