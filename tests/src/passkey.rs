//! An authenticator in software, so that a test signs in as a browser does: WebAuthn's
//! answers made by hand, and wrong ones where a test wants them.

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use aws_lc_rs::{digest, pkcs8};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const WITH_KEY: u8 = 0x40;

/// One passkey.
#[derive(Debug)]
pub struct TestPasskey {
    key: EcdsaKeyPair,
    id: [u8; 16],
    handle: Vec<u8>,
    counter: u32,
    /// Of the page that it answers.
    pub origin: String,
    /// Whether it asks for the PIN.
    pub verifies: bool,
}

impl TestPasskey {
    /// For pages of this origin.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        let rng = SystemRandom::new();
        let alg = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document: pkcs8::Document = EcdsaKeyPair::generate_pkcs8(alg, &rng).unwrap();
        let mut id = [0; 16];
        rand::fill(&mut id).unwrap();
        Self {
            key: EcdsaKeyPair::from_pkcs8(alg, document.as_ref()).unwrap(),
            id,
            handle: Vec::new(),
            counter: 0,
            origin: origin.to_owned(),
            verifies: true,
        }
    }

    fn flags(&self) -> u8 {
        PRESENT | if self.verifies { VERIFIED } else { 0 }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    fn answer(&self, response: &Value) -> Value {
        let id = BASE64URL_NOPAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "extensions": {}, "response": response })
    }

    /// Answers a question for a new passkey: this one.
    pub fn create(&mut self, options: &Value) -> Value {
        let handle = options["user"]["id"].as_str().unwrap();
        self.handle = BASE64URL_NOPAD.decode(handle.as_bytes()).unwrap();
        let mut data = self.data(
            options["rp"]["id"].as_str().unwrap(),
            self.flags() | WITH_KEY,
        );
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.id);
        let point = self.key.public_key().as_ref();
        // COSE: {1: EC2, 3: ES256, -1: P-256, -2: x, -3: y}
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&point[33..65]);
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        self.answer(&json!({
            "attestationObject": BASE64URL_NOPAD.encode(&object),
            "clientDataJSON": BASE64URL_NOPAD.encode(&self.client_data("webauthn.create", options)),
        }))
    }

    /// Answers a question to sign in, or to unlock.
    pub fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let data = self.data(options["rpId"].as_str().unwrap(), self.flags());
        let client_data = self.client_data("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend(digest::digest(&digest::SHA256, &client_data).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        self.answer(&json!({
            "authenticatorData": BASE64URL_NOPAD.encode(&data),
            "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
            "signature": BASE64URL_NOPAD.encode(signature.as_ref()),
            "userHandle": BASE64URL_NOPAD.encode(&self.handle),
        }))
    }

    /// As a copy would that was made a while ago: its counter is behind.
    pub fn set_back(&mut self) {
        self.counter = 0;
    }

    fn data(&self, party: &str, flags: u8) -> Vec<u8> {
        let mut data = digest::digest(&digest::SHA256, party.as_bytes())
            .as_ref()
            .to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }
}
