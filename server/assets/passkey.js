// What the pages need of WebAuthn: the center speaks JSON with base64url in it,
// browsers speak bytes.
window.passkey = (function () {
  "use strict";

  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (c) { return c.charCodeAt(0); });
  }

  function text(buffer) {
    const plain = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  }

  async function post(path, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body || {}),
    });
    const isJson = (answer.headers.get("content-type") || "").includes("json");
    const said = isJson ? await answer.json() : {};
    if (!answer.ok) throw new Error(said.why || said.detail || "The center does not take it (" + answer.status + ").");
    return said;
  }

  function withBytes(list) {
    return (list || []).map(function (one) { return Object.assign({}, one, { id: bytes(one.id) }); });
  }

  // Both answer { ceremony, credential } for the center.
  async function create(asked) {
    const options = Object.assign({}, asked.options, {
      challenge: bytes(asked.options.challenge),
      user: Object.assign({}, asked.options.user, { id: bytes(asked.options.user.id) }),
      excludeCredentials: withBytes(asked.options.excludeCredentials),
    });
    const made = await navigator.credentials.create({ publicKey: options });
    const response = made.response;
    return { ceremony: asked.ceremony, credential: {
      id: made.id, rawId: text(made.rawId), type: made.type, extensions: {},
      response: {
        attestationObject: text(response.attestationObject),
        clientDataJSON: text(response.clientDataJSON),
      },
    } };
  }

  async function get(asked) {
    const options = Object.assign({}, asked.options, {
      challenge: bytes(asked.options.challenge),
      allowCredentials: withBytes(asked.options.allowCredentials),
    });
    const shown = await navigator.credentials.get({ publicKey: options });
    const response = shown.response;
    return { ceremony: asked.ceremony, credential: {
      id: shown.id, rawId: text(shown.rawId), type: shown.type, extensions: {},
      response: {
        authenticatorData: text(response.authenticatorData),
        clientDataJSON: text(response.clientDataJSON),
        signature: text(response.signature),
        userHandle: response.userHandle ? text(response.userHandle) : null,
      },
    } };
  }

  // What a person can do about it; browsers say "NotAllowedError" of all of these.
  function why(error) {
    if (error.name === "NotAllowedError") return "The passkey was not used: it was called off, took too long, or none fits here.";
    if (error.name === "InvalidStateError") return "This passkey is on your account already.";
    if (error.name === "SecurityError") return "Passkeys do not work at this address.";
    return error.message;
  }

  // Runs `work` for a button, and says beside it what went wrong.
  async function tried(button, place, work) {
    button.disabled = true;
    place.replaceChildren();
    try {
      await work();
    } catch (error) {
      const line = document.createElement("p");
      line.className = "answer bad";
      line.textContent = why(error);
      place.replaceChildren(line);
    } finally {
      button.disabled = false;
    }
  }

  return { post: post, create: create, get: get, tried: tried };
})();
