// Whose session this page is part of. While it is locked or over the page is covered,
// and what was typed stays in its boxes beneath. Asking how it stands is no use of it;
// a hand at the page is, and is told at most every half minute.
(function () {
  "use strict";

  const ASK_EVERY_MS = 15000;
  const USED_EVERY_MS = 30000;

  const title = document.title;
  const cover = document.getElementById("cover");
  const go = document.getElementById("cover-go");
  const answer = document.getElementById("cover-answer");
  let person = null;
  let standing = null;
  let usedAtMs = 0;

  const WORDS = {
    locked: ["Locked", "What you typed is still here.", "Unlock with your passkey"],
    over: ["Your session is over", "It ends after 12 hours, after an hour without use, and when an account changes. What you typed is still here.", "Sign in with your passkey"],
    notice: ["Before you go on", "", "I have read this, and go on"],
  };

  function show(said) {
    if (said.person) {
      if (person && person.number !== said.person.number) {
        // Somebody else sits here now: nothing of the other one stays.
        location.replace("/");
        return;
      }
      person = said.person;
      document.getElementById("who").hidden = false;
      document.getElementById("who-name").textContent = person.name;
      document.getElementById("who-role").textContent = person.role;
      document.getElementById("to-people").hidden = person.role === "analyst";
      document.getElementById("to-audit").hidden = person.role === "analyst";
      document.getElementById("to-retention").hidden = person.role !== "supervisor";
    }
    if (said.standing === standing) return;
    const was = standing;
    standing = said.standing;
    const isOpen = standing === "open";
    if (isOpen && "nothingHere" in document.body.dataset) {
      location.reload();
      return;
    }
    document.documentElement.classList.toggle("covered", !isOpen);
    document.querySelectorAll("main, #header").forEach(function (part) { part.inert = !isOpen; });
    cover.hidden = isOpen;
    document.title = isOpen ? title : "Locked";
    if (isOpen) return;
    answer.replaceChildren();
    const words = WORDS[standing];
    document.getElementById("cover-title").textContent = words[0];
    document.getElementById("cover-text").textContent = said.notice || words[1];
    go.textContent = words[2];
    // In a window of its own: this one keeps what was typed.
    const provider = document.getElementById("cover-provider");
    provider.hidden = standing !== "locked" || !person || !person.provider;
    if (!provider.hidden) provider.href = "/sign-in/oidc?unlock=yes&agency=" + encodeURIComponent(person.provider);
    document.getElementById("cover-out").hidden = standing === "notice";
    document.getElementById("who").open = false;
    if (was !== null) go.focus();
  }

  async function look() {
    try {
      const said = await fetch("/session", { headers: { accept: "application/json" } });
      if (said.ok) show(await said.json());
    } catch {
      // No center: the page says so by itself, and shows nothing new.
    }
  }

  go.addEventListener("click", function () {
    passkey.tried(go, answer, async function () {
      if (standing === "notice") {
        await fetch("/notice", { method: "POST", body: new URLSearchParams(), redirect: "manual" });
        await look();
        return;
      }
      const path = standing === "locked" ? "/session/unlock" : "/sign-in/passkey";
      const asked = await passkey.post(path + "/start");
      await passkey.post(path + "/finish", await passkey.get(asked));
      await look();
    });
  });

  // Somebody else signs in: this page, with what was typed, is left behind.
  document.getElementById("cover-out").addEventListener("click", async function (event) {
    event.preventDefault();
    document.querySelectorAll("textarea").forEach(function (box) { box.value = ""; });
    await fetch("/session/end", { method: "POST" });
    location.replace("/sign-in");
  });

  document.getElementById("lock-now").addEventListener("click", function (event) {
    passkey.tried(event.target, answer, async function () {
      try {
        await passkey.post("/session/lock");
      } catch (error) {
        alert(error.message);
      }
      await look();
    });
  });

  function used() {
    const nowMs = Date.now();
    if (standing !== "open" || nowMs - usedAtMs < USED_EVERY_MS) return;
    usedAtMs = nowMs;
    fetch("/session/used", { method: "POST" }).catch(function () {});
  }
  ["pointerdown", "keydown"].forEach(function (name) {
    document.addEventListener(name, used, true);
  });

  // What was refused, or a socket that closed, may be the session's end.
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.xhr.getResponseHeader("x-session")) look();
  });
  document.addEventListener("live:down", look);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("focus", look);
  setInterval(look, ASK_EVERY_MS);
  look();
})();
