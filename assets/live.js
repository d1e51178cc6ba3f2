// What both pages (the analyst's console, the officer's MDT) need of their one
// WebSocket, on top of htmx and its WebSocket extension:
//
// - The page never looks live when it is not. The server says something at
//   least every 5 s; silence or a closed socket is told by "live:down".
// - The extension reconnects after some close codes only, and waits up to a
//   minute; here every close is followed by a new try within seconds.
// - A region that is replaced under a finger or a mouse button would swallow
//   the click: such a swap waits for the release.
// - Ages tick here, so that the server sends a region only when it changed.
//
// Events on document: "live:up", "live:down" (detail.since: Date or null) and
// "live:content" (after new content is in place).
(function () {
  "use strict";

  const SILENCE_MS_MAX = 12000;
  const RECONNECT_MS_MAX = 3000;
  const HOLD_MS_MAX = 3000;
  const ANSWER_MS_MAX = 6000;

  let socket = null;
  let isUp = false;
  let openedAtMs = 0;
  let heardAtMs = null;
  let clockAheadMs = 0;
  let pressed = null;
  let focusedId = "";
  const held = new Map();

  function tell(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail: detail || {} }));
  }

  // ---- the socket ----------------------------------------------------------

  htmx.config.wsReconnectDelay = function (tries) {
    return Math.min(RECONNECT_MS_MAX, 250 * Math.pow(2, tries)) * (0.5 + Math.random() / 2);
  };

  htmx.createWebSocket = function (url) {
    socket = new WebSocket(url);
    return socket;
  };

  function goDown() {
    isUp = false;
    tell("live:down", { since: heardAtMs === null ? null : new Date(heardAtMs) });
  }

  // An open socket alone shows nothing yet: up comes with the first content.
  document.addEventListener("htmx:wsOpen", function () {
    openedAtMs = Date.now();
  });

  document.addEventListener("htmx:wsClose", function (event) {
    const closed = event.detail.event.target;
    if (closed !== socket) return;
    goDown();
    const extensionRetries = [1006, 1011, 1012, 1013].includes(event.detail.event.code);
    if (extensionRetries) return;
    const wrapper = event.detail.socketWrapper;
    setTimeout(function () {
      if (closed === socket) wrapper.reconnect();
    }, RECONNECT_MS_MAX / 3);
  });

  document.addEventListener("htmx:wsBeforeMessage", function () {
    focusedId = document.activeElement ? document.activeElement.id : "";
  });

  document.addEventListener("htmx:wsAfterMessage", function () {
    heardAtMs = Date.now();
    readServerClock();
    if (!isUp) {
      isUp = true;
      tell("live:up");
    }
    contentChanged();
  });

  function readServerClock() {
    const header = document.getElementById("header");
    const nowMs = Number(header && header.dataset.nowMs);
    if (nowMs && readServerClock.lastMs !== nowMs) {
      readServerClock.lastMs = nowMs;
      clockAheadMs = nowMs - Date.now();
    }
  }

  function contentChanged() {
    if (focusedId && document.activeElement === document.body) {
      const again = document.getElementById(focusedId);
      if (again) again.focus({ preventScroll: true });
    }
    tick();
    // While a swap is held back, the page does not show yet what it was sent.
    if (held.size === 0) tell("live:content");
  }

  // ---- a swap waits for the finger -----------------------------------------

  document.addEventListener("pointerdown", function (event) {
    pressed = { element: event.target, atMs: Date.now() };
  }, true);

  function release() {
    pressed = null;
    if (held.size === 0) return;
    held.forEach(function (fragment, id) {
      const target = document.getElementById(id);
      if (!target) return;
      target.replaceWith(fragment);
      htmx.process(document.getElementById(id));
    });
    held.clear();
    contentChanged();
  }

  // A click comes after its pointerup: let it find its element first.
  ["pointerup", "pointercancel"].forEach(function (name) {
    document.addEventListener(name, function () { setTimeout(release, 50); }, true);
  });

  document.addEventListener("htmx:oobBeforeSwap", function (event) {
    const target = event.detail.target;
    if (pressed && target.contains(pressed.element)) {
      event.detail.shouldSwap = false;
      held.set(target.id, event.detail.fragment);
    } else {
      held.delete(target.id);
    }
  });

  // ---- forms: the text stays until it has been taken ------------------------

  function answerPlace(element) {
    return document.querySelector(element.getAttribute("hx-target"));
  }

  function sayFailed(element, text) {
    const place = answerPlace(element);
    if (!place) return;
    const line = document.createElement("p");
    line.className = "answer bad";
    line.textContent = text;
    place.replaceChildren(line);
  }

  document.addEventListener("htmx:beforeSwap", function (event) {
    const xhr = event.detail.xhr;
    const isHtml = (xhr.getResponseHeader("content-type") || "").startsWith("text/html");
    if (xhr.status >= 400 && !isHtml) {
      event.detail.shouldSwap = false;
      sayFailed(event.detail.requestConfig.elt, "That did not work (" + xhr.status + "). Your text is kept: try again.");
    }
  });

  // Before the answer is acted on: it may lead to another page.
  document.addEventListener("htmx:beforeOnLoad", function (event) {
    const status = event.detail.xhr.status;
    const form = event.detail.elt.closest("form[data-clear-when-sent]");
    if (!form || status < 200 || status > 299) return;
    // What was typed after the tap is not what was sent: it stays. A form that names a box
    // has only that one cleared: what was chosen beside it stays chosen.
    const name = form.dataset.clearWhenSent || "text";
    const sent = event.detail.requestConfig.parameters[name];
    const box = form.elements.namedItem(name);
    if (box && box.value !== sent) return;
    if (form.dataset.clearWhenSent) box.value = "";
    else form.reset();
  });

  document.addEventListener("htmx:sendError", function (event) {
    sayFailed(event.detail.elt, document.body.dataset.noAnswer + " Your text is kept.");
  });

  document.addEventListener("htmx:timeout", function (event) {
    sayFailed(event.detail.elt, "No answer yet. Your text is kept: see whether it is in the list before you send it again.");
  });

  // "Done" goes by itself; what went wrong stays until the next try.
  document.addEventListener("htmx:afterSwap", function (event) {
    const done = event.detail.target.querySelector(".answer.good");
    if (done) setTimeout(function () { done.remove(); }, ANSWER_MS_MAX);
  });

  // A half-written note is not lost by a stray tap on a link.
  window.addEventListener("beforeunload", function (event) {
    const unsent = Array.from(document.querySelectorAll("textarea")).some(function (box) {
      return box.value.trim() !== "";
    });
    if (unsent) event.preventDefault();
  });

  // ---- a file is sent as it is, as soon as it is chosen ------------------------

  document.addEventListener("change", function (event) {
    const input = event.target.closest("input[type=file][data-post]");
    if (!input || input.files.length === 0) return;
    const file = input.files[0];
    const place = document.querySelector(input.dataset.answer);
    function say(taken, text) {
      const line = document.createElement("p");
      line.className = "answer " + (taken ? "good" : "bad");
      line.textContent = text;
      place.replaceChildren(line);
      if (taken) setTimeout(function () { line.remove(); }, ANSWER_MS_MAX);
    }
    input.disabled = true;
    fetch(input.dataset.post + "?name=" + encodeURIComponent(file.name), {
      method: "POST",
      headers: { "content-type": file.type || "application/octet-stream" },
      body: file,
    }).then(function (response) {
      return response.text().then(function (html) {
        const answer = new DOMParser().parseFromString(html, "text/html").querySelector(".answer");
        const text = answer ? answer.textContent : "That did not work (" + response.status + ").";
        say(response.ok, text);
      });
    }).catch(function () {
      say(false, document.body.dataset.noAnswer);
    }).finally(function () {
      input.disabled = false;
      input.value = "";
    });
  });

  // ---- ages -----------------------------------------------------------------

  function two(number) { return String(number).padStart(2, "0"); }

  function clockAge(seconds) {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    if (hours >= 48) return Math.floor(hours / 24) + " days";
    return (hours ? hours + ":" + two(minutes) : two(minutes)) + ":" + two(seconds % 60);
  }

  function wordAge(seconds) {
    if (seconds < 60) return seconds + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min " + two(seconds % 60) + " s";
    return Math.floor(seconds / 3600) + " h " + two(Math.floor(seconds / 60) % 60) + " min";
  }

  function tick() {
    const nowMs = Date.now() + clockAheadMs;
    document.querySelectorAll("[data-since]").forEach(function (element) {
      const ageMs = Math.max(0, nowMs - Number(element.dataset.since));
      if (element.dataset.overdueMs) element.hidden = ageMs < Number(element.dataset.overdueMs);
      const seconds = Math.floor(ageMs / 1000);
      if (element.dataset.age === "clock") element.textContent = clockAge(seconds);
      if (element.dataset.age === "words") element.textContent = wordAge(seconds);
    });
  }

  setInterval(function () {
    tick();
    if (pressed && Date.now() - pressed.atMs > HOLD_MS_MAX) release();
    if (socket && socket.readyState === WebSocket.OPEN && Date.now() - Math.max(openedAtMs, heardAtMs) > SILENCE_MS_MAX) {
      if (isUp) goDown();
      socket.close(4000, "silent");
    }
  }, 1000);

  document.addEventListener("DOMContentLoaded", function () {
    readServerClock();
    tick();
  });

  // ---- for the page's own script ---------------------------------------------

  window.live = {
    isUp: function () { return isUp; },
    send: function (message) {
      if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    clockTime: function (date) {
      return two(date.getHours()) + ":" + two(date.getMinutes()) + ":" + two(date.getSeconds());
    },
  };
})();
