//! Dispatch at the API, and an analyst's browser at the console.

use std::sync::Once;

use mobile_core::Ticket;
use packet::{CallId, DeviceNumber};
use serde_json::{Value, json};

use crate::{AGENCY, TestPasskey};

/// What the center said.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    /// Null where the body is no JSON.
    pub body: Value,
    pub text: String,
}

/// A file that the center gave.
#[derive(Debug, Clone)]
pub struct Download {
    pub content_type: String,
    pub disposition: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct TestApi {
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    pub token: String,
    /// Of whoever is signed in at the console here.
    cookie: Option<String>,
    client: reqwest::Client,
}

/// reqwest comes without a provider of its own.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A center in this process may have been quicker: it takes the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

impl TestApi {
    #[must_use]
    pub fn new(base: String, token: String) -> Self {
        install_crypto();
        let client = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            base,
            token,
            cookie: None,
            client,
        }
    }

    /// With this session at the console: as the browser sends its cookie.
    #[must_use]
    pub fn signed_in(self, cookie: String) -> Self {
        Self {
            cookie: Some(cookie),
            ..self
        }
    }

    /// Enrols a passkey by a link's secret, as the page does, acknowledges the notice, and
    /// is signed in from then on.
    pub async fn enrol(self, secret: &str) -> Self {
        let origin = self.base.clone();
        let page = origin.replace("127.0.0.1", "localhost");
        let mut passkey = TestPasskey::new(&page);
        let post = async |path: &str, body: Value| {
            let request = self.client.post(format!("{origin}{path}"));
            let request = request.header("origin", &origin).json(&body);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            response
        };
        let asked: Value = post("/enrol/start", json!({ "link": secret }))
            .await
            .json()
            .await
            .unwrap();
        let body = json!({
            "link": secret,
            "ceremony": asked["ceremony"],
            "credential": passkey.create(&asked["options"]),
        });
        let entered = post("/enrol/finish", body).await;
        let cookie = entered.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let api = self.signed_in(cookie);
        let read = api.raw_form("/notice", "to=%2Fpeople").await.unwrap();
        assert!(read.is_success(), "{read:?}");
        api
    }

    /// A page of the console's, as its browser gets it.
    ///
    /// # Errors
    /// When the center does not answer.
    pub async fn page(&self, path: &str) -> Result<Answer, reqwest::Error> {
        answer(self.as_browser(self.client.get(format!("{}{path}", self.base)))).await
    }

    fn as_browser(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// With the token.
    ///
    /// # Errors
    /// When the center does not answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.bearer_auth(&self.token).json(body);
        answer(request).await
    }

    /// # Errors
    /// When the center does not answer.
    pub async fn get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        let request = self.client.get(format!("{}{path}", self.base));
        answer(request.bearer_auth(&self.token)).await
    }

    /// A file as it is, of this media type.
    ///
    /// # Errors
    /// When the center does not answer.
    pub async fn put(
        &self,
        path: &str,
        media_type: &str,
        body: &str,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.client.put(format!("{}{path}", self.base));
        let request = request
            .bearer_auth(&self.token)
            .header("content-type", media_type);
        answer(request.body(body.to_owned())).await
    }

    /// # Errors
    /// When the center does not answer.
    pub async fn delete(&self, path: &str) -> Result<Answer, reqwest::Error> {
        let request = self.client.delete(format!("{}{path}", self.base));
        answer(request.bearer_auth(&self.token)).await
    }

    /// Gives a file, with the token.
    ///
    /// # Errors
    /// When the center does not answer.
    pub async fn upload(
        &self,
        path: &str,
        media_type: &str,
        content: &[u8],
    ) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.bearer_auth(&self.token);
        let request = request.header("content-type", media_type);
        answer(request.body(content.to_vec())).await
    }

    /// A file that is there, with the token.
    pub async fn download(&self, path: &str) -> Download {
        let request = self.client.get(format!("{}{path}", self.base));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (content_type, disposition) = (header("content-type"), header("content-disposition"));
        Download {
            content_type,
            disposition,
            bytes: response.bytes().await.unwrap().into(),
        }
    }

    /// Without any token.
    ///
    /// # Errors
    /// When the center does not answer.
    pub async fn stranger(&self, method: &str, path: &str) -> Result<Answer, reqwest::Error> {
        let method = method.parse::<reqwest::Method>().unwrap();
        answer(self.client.request(method, format!("{}{path}", self.base))).await
    }

    /// An analyst's form, as the console's own page sends it.
    ///
    /// # Errors
    /// When the center does not answer.
    pub async fn form(&self, path: &str, text: &str) -> Result<Answer, reqwest::Error> {
        let encoded = text.replace(' ', "+");
        self.raw_form(path, &format!("text={encoded}")).await
    }

    /// A form of the console's, encoded already.
    pub async fn raw_form(&self, path: &str, form: &str) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request
            .header("origin", &self.base)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        answer(self.as_browser(request)).await
    }

    /// Dispatch opens a call with these units on it.
    pub async fn call(&self, number: &str, units: &[&str]) -> CallId {
        let body = call(number, "TRESPASS", units);
        let answer = self.post("/v1/calls", &body).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.call_id()
    }

    pub async fn assign(&self, call: CallId, unit: &str) {
        let path = format!("/v1/calls/{call}/units");
        let answer = self.post(&path, &json!({"unit": unit})).await.unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    pub async fn release(&self, call: CallId, unit: &str) {
        let path = format!("/v1/calls/{call}/units/{unit}");
        assert_eq!(self.delete(&path).await.unwrap().status, 204);
    }

    pub async fn revoke(&self, device: DeviceNumber) {
        let path = format!("/v1/devices/{}", device.0);
        assert_eq!(self.delete(&path).await.unwrap().status, 204);
    }

    /// What a device needs to enrol.
    pub async fn ticket(&self, label: &str) -> Ticket {
        self.ticket_for(AGENCY, label).await
    }

    /// … of this agency.
    pub async fn ticket_for(&self, agency: &str, label: &str) -> Ticket {
        let body = json!({"agency": agency, "label": label});
        let answer = self.post("/v1/enrolment-codes", &body).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["ticket"].as_str().unwrap().parse().unwrap()
    }

    /// Whether the center is up and its log can be written.
    pub async fn is_healthy(&self) -> bool {
        let answer = self.stranger("GET", "/healthz").await;
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

/// A report of a call, as dispatch sends it.
#[must_use]
pub(crate) fn call(number: &str, nature: &str, units: &[&str]) -> Value {
    json!({
        "agency": AGENCY,
        "number": number,
        "nature": nature,
        "location": "400 W STATE ST",
        "units": units,
    })
}

impl Answer {
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    #[must_use]
    pub fn call_id(&self) -> CallId {
        self.body["id"].as_str().unwrap().parse().unwrap()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map_or("", |value| value.to_str().unwrap_or(""));
    let content_type = content_type.to_owned();
    let body = response.bytes().await?;
    Ok(Answer {
        status,
        content_type,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}
