// The officer's page's own part: the sound of a new caution, telling the device
// what was on a visible screen, and saying so when the program does not answer.
(function () {
  "use strict";

  const BEEPS_MAX = 3; // for one caution: on arrival and twice more until the tap
  const BEEP_AGAIN_MS = 10000;

  let audio = null;
  let shownThrough = null;
  const sounded = new Map(); // entry → how often and when last

  // ---- the program on this laptop --------------------------------------------

  document.addEventListener("live:up", function () {
    shownThrough = null;
    document.body.classList.remove("down");
    document.getElementById("program-down").hidden = true;
  });

  document.addEventListener("live:down", function (event) {
    const since = event.detail.since;
    document.body.classList.add("down");
    document.getElementById("program-down-since").textContent =
      since ? " since " + live.clockTime(since) : "";
    document.getElementById("program-down").hidden = false;
  });

  // ---- shown -------------------------------------------------------------------

  function tellShown() {
    const region = document.getElementById("shown-through");
    if (!region || !live.isUp() || document.visibilityState !== "visible") return;
    const through = region.dataset.through;
    if (through === shownThrough) return;
    shownThrough = through;
    const documents = Array.from(region.querySelectorAll("[data-document]"));
    live.send({
      shown: documents.map(function (element) { return element.dataset.document; }),
      through: through,
    });
  }

  // ---- sound -------------------------------------------------------------------

  // Browsers keep a page silent until it is touched: the bar says so until then.
  function showSoundBar() {
    document.getElementById("sound").hidden = Boolean(audio) && audio.state === "running";
  }

  function turnSoundOn() {
    if (audio && audio.state !== "running") audio.resume().then(sound);
  }

  function pulse(startS, frequencyHz) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.type = "square";
    tone.frequency.value = frequencyHz;
    volume.gain.setValueAtTime(0.25, startS);
    volume.gain.setValueAtTime(0, startS + 0.18);
    tone.connect(volume).connect(audio.destination);
    tone.start(startS);
    tone.stop(startS + 0.2);
  }

  function beep() {
    pulse(audio.currentTime, 880);
    pulse(audio.currentTime + 0.25, 660);
    pulse(audio.currentTime + 0.5, 880);
  }

  // Sounds when a caution that asks for the tap is new or still waits.
  function sound() {
    showSoundBar();
    if (!audio || audio.state !== "running") return;
    const nowMs = Date.now();
    let due = false;
    document.querySelectorAll("[data-asks]").forEach(function (element) {
      const before = sounded.get(element.dataset.asks) || { times: 0, lastMs: 0 };
      if (before.times >= BEEPS_MAX || nowMs - before.lastMs < BEEP_AGAIN_MS) return;
      sounded.set(element.dataset.asks, { times: before.times + 1, lastMs: nowMs });
      due = true;
    });
    if (due) beep();
  }

  document.addEventListener("click", turnSoundOn, true);
  document.addEventListener("keydown", turnSoundOn, true);
  setInterval(sound, 1000);

  // ---- the lock -------------------------------------------------------------------

  const TOUCHED_EVERY_MS = 30000;
  const title = document.title;
  let toldTouchedMs = 0;
  let wasLocked = null;

  function isLocked() {
    return document.getElementById("lock").dataset.locked !== "open";
  }

  // What an officer is in the middle of writing stays in its box, under the lock.
  function isWriting() {
    const boxes = document.querySelectorAll(".desk textarea, #open-fields textarea, #open-fields input:not([type=radio])");
    return Array.from(boxes).some(function (box) { return box.value.trim() !== ""; });
  }

  // Regions are emptied by the program; what is no region goes here.
  function onLock() {
    const locked = isLocked();
    document.querySelector(".desk").inert = locked;
    document.querySelector(".top").inert = locked;
    if (locked === wasLocked) return;
    const opened = wasLocked === true && !locked;
    wasLocked = locked;
    document.title = locked ? "Locked" : title;
    clearDigits();
    document.getElementById("pad-answer").textContent = "";
    if (locked) {
      document.getElementById("said").textContent = "";
      document.querySelectorAll("dialog[open]").forEach(function (dialog) { dialog.close(); });
      const beat = document.querySelector(".beat");
      if (beat) beat.replaceChildren();
      const box = document.getElementById("digits");
      if (box.offsetParent) box.focus();
    } else if (opened && !isWriting()) {
      location.reload();
    }
  }

  function clearDigits() {
    document.getElementById("digits").value = "";
  }

  function touched() {
    const nowMs = Date.now();
    if (isLocked() || nowMs - toldTouchedMs < TOUCHED_EVERY_MS) return;
    toldTouchedMs = nowMs;
    live.send({ touched: true });
  }

  document.addEventListener("click", function (event) {
    const key = event.target.closest("[data-digit]");
    if (!key) return;
    const box = document.getElementById("digits");
    box.value = key.dataset.digit ? (box.value + key.dataset.digit).slice(0, 12) : box.value.slice(0, -1);
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.target.id === "pad") clearDigits();
  });
  ["pointerdown", "keydown"].forEach(function (kind) {
    document.addEventListener(kind, touched, true);
  });
  document.addEventListener("live:content", onLock);
  document.addEventListener("DOMContentLoaded", onLock);

  // ---- the forms that open over the page ------------------------------------------

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-opens], [data-closes]");
    if (!button) return;
    const { opens, closes } = button.dataset;
    if (opens) document.getElementById(opens).showModal();
    else document.getElementById(closes).close();
  });

  document.addEventListener("DOMContentLoaded", function () {
    audio = new AudioContext();
    audio.addEventListener("statechange", showSoundBar);
    // It may begin by itself when an earlier page was touched: ask before complaining.
    setTimeout(sound, 300);
  });

  document.addEventListener("live:content", function () {
    tellShown();
    sound();
  });
  document.addEventListener("visibilitychange", tellShown);
})();
