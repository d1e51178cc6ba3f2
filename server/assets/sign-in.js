// The pages before anybody is signed in. What stands behind the # of a link is sent
// by this script alone, and not kept in the address.
(function () {
  "use strict";

  const place = document.getElementById("door-answer");
  const secret = location.hash.slice(1);
  if (secret) history.replaceState(null, "", location.pathname + location.search);

  const enrol = document.getElementById("add-passkey");
  if (enrol) {
    enrol.addEventListener("click", function () {
      passkey.tried(enrol, place, async function () {
        const asked = await passkey.post("/enrol/start", { link: secret });
        document.getElementById("enrol-who").textContent = "This link is for " + asked.name + ", once.";
        const answer = await passkey.create(asked);
        answer.link = secret;
        answer.label = document.getElementById("passkey-label").value;
        await passkey.post("/enrol/finish", answer);
        location.replace("/notice?to=%2F");
      });
    });
  }

  const section = document.getElementById("sign-in");
  if (!section) return;
  const next = "/notice?to=" + encodeURIComponent(section.dataset.to);
  const button = document.getElementById("with-passkey");
  button.addEventListener("click", function () {
    passkey.tried(button, place, async function () {
      const asked = await passkey.post("/sign-in/passkey/start");
      await passkey.post("/sign-in/passkey/finish", await passkey.get(asked));
      location.replace(next);
    });
  });

  // A passkey is bound to a name; an address has none.
  if (/^(127\.|\[)/.test(location.hostname)) {
    const line = document.getElementById("by-name");
    const url = new URL(location.href);
    url.hostname = "localhost";
    line.querySelector("a").href = url.href;
    line.hidden = false;
  }

  // The demo's link.
  if (secret) {
    passkey.tried(button, place, async function () {
      const answer = await fetch("/sign-in/link", { method: "POST", body: new URLSearchParams({ link: secret }) });
      if (!answer.ok) throw new Error((await answer.json()).why);
      location.replace(next);
    });
  }
})();
