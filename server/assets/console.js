// The console's own part: whether the page is live, in words; and telling the
// center what was on a visible page.
(function () {
  "use strict";

  let shownThrough = null;
  let knownRows = null;

  function sayLink(isUp, text) {
    document.body.classList.toggle("down", !isUp);
    document.getElementById("link-text").textContent = text;
  }

  document.addEventListener("live:up", function () {
    shownThrough = null;
    sayLink(true, "Live");
  });

  document.addEventListener("live:down", function (event) {
    const since = event.detail.since;
    sayLink(false, since
      ? "Not updating since " + live.clockTime(since) + " — reconnecting"
      : "Not connected yet — trying again");
  });

  function tellShown() {
    const region = document.getElementById("shown-through");
    if (!region || !live.isUp() || document.visibilityState !== "visible") return;
    const through = region.dataset.through;
    if (through === shownThrough) return;
    shownThrough = through;
    live.send({ shown: true, through: through });
  }

  // A call that was not on the board a moment ago is marked for some seconds.
  function markNewRows() {
    const board = document.getElementById("board");
    if (!board) return;
    const rows = Array.from(board.querySelectorAll("tr[id]"));
    if (knownRows !== null) {
      rows.forEach(function (row) { row.classList.toggle("new", !knownRows.has(row.id)); });
    }
    knownRows = new Set(rows.map(function (row) { return row.id; }));
  }

  document.addEventListener("live:content", function () {
    tellShown();
    markNewRows();
  });
  document.addEventListener("visibilitychange", tellShown);
})();
