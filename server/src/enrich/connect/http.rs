//! A source over HTTP: JSON or XML, bounded in size, no redirect followed.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use reqwest::{Certificate, Method, Url};
use rustls::Error as TlsError;
use serde_json::Value;

use super::{ANSWER_BYTES_MAX, FetchError, Question};
use crate::enrich::config::{Format, HttpConfig, SourceConfig, Wrong};
use crate::enrich::fill::{self, Name, Template};
use crate::enrich::secret::Secret;
use crate::enrich::xml;

/// How a value is written within a body.
type Escape = fn(&str) -> String;

#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    url: Template,
    body: Option<(Template, HeaderValue, Escape)>,
    headers: Vec<(HeaderName, Template)>,
    format: Format,
    secret: Option<Secret>,
}

impl Http {
    pub(super) fn open(
        config: &SourceConfig,
        http: &HttpConfig,
        secret: Option<Secret>,
    ) -> Result<Self, Wrong> {
        let url = Template::parse(&http.url).map_err(|wanted| ("http.url", wanted))?;
        check_place(&url)?;
        let body = match &http.body {
            None => None,
            Some(body) => {
                let body = Template::parse(body).map_err(|wanted| ("http.body", wanted))?;
                let content_type = HeaderValue::from_str(&http.content_type)
                    .map_err(|e| ("http.content_type", e.to_string()))?;
                Some((body, content_type, escape_of(&http.content_type)?))
            }
        };
        let headers = http.headers.iter().map(|(name, value)| {
            let name = name
                .parse::<HeaderName>()
                .map_err(|e| ("http.headers", e.to_string()))?;
            let value = Template::parse(value).map_err(|wanted| ("http.headers", wanted))?;
            let may = [Name::Secret, Name::Purpose];
            if Name::ALL
                .iter()
                .any(|(name, _)| !may.contains(name) && value.uses(*name))
            {
                return Err((
                    "http.headers",
                    "{secret} or {purpose} in braces, nothing else".into(),
                ));
            }
            Ok((name, value))
        });
        let opened = Self {
            client: client(http)?,
            body,
            headers: headers.collect::<Result<_, Wrong>>()?,
            format: http.format,
            url,
            secret,
        };
        let uses = |name| {
            let in_body = opened
                .body
                .as_ref()
                .is_some_and(|(body, ..)| body.uses(name));
            let in_headers = opened.headers.iter().any(|(_, value)| value.uses(name));
            opened.url.uses(name) || in_body || in_headers
        };
        config.check_names("http.url", uses)?;
        if uses(Name::Secret) && opened.secret.is_none() {
            return Err((
                "secret",
                "where it is: { file = \"…\" } or { env = \"…\" }".into(),
            ));
        }
        Ok(opened)
    }

    pub(super) async fn fetch(&self, question: &Question) -> Result<Value, FetchError> {
        let body = self.body(question).await.map_err(|e| self.hidden(e))?;
        let Some(body) = body else {
            return Ok(Value::Null);
        };
        match self.format {
            Format::Json => serde_json::from_slice(&body)
                .map_err(|e| FetchError::in_vain(format!("its answer is no JSON: {e}"))),
            Format::Xml => xml::to_json(&body)
                .map_err(|e| FetchError::in_vain(format!("its answer is no XML: {e}"))),
        }
    }

    fn hidden(&self, error: FetchError) -> FetchError {
        let hide = |why| Secret::hide(self.secret.as_ref(), why);
        match error {
            FetchError::Refused(why) => FetchError::Refused(hide(why)),
            FetchError::Failed { why, again } => FetchError::Failed {
                why: hide(why),
                again,
            },
        }
    }

    /// The whole body; `None`: the source knows nothing.
    async fn body(&self, question: &Question) -> Result<Option<Vec<u8>>, FetchError> {
        let mut response = self
            .request(question)?
            .send()
            .await
            .map_err(|e| failed(&e))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::NO_CONTENT => return Ok(None),
            status => return Err(refused(status)),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| failed(&e))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let why = format!("its answer is over {ANSWER_BYTES_MAX} bytes");
                return Err(FetchError::in_vain(why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    fn request(&self, question: &Question) -> Result<reqwest::RequestBuilder, FetchError> {
        let value = |name| question.value(name, self.secret.as_ref());
        let url = self.url.fill(value, fill::percent);
        let mut request = match &self.body {
            None => self.client.request(Method::GET, url),
            Some((body, content_type, escape)) => self
                .client
                .request(Method::POST, url)
                .header(reqwest::header::CONTENT_TYPE, content_type)
                .body(body.fill(value, escape)),
        };
        for (name, template) in &self.headers {
            let filled = template.fill(value, str::to_owned);
            let mut filled = HeaderValue::from_str(&filled)
                .map_err(|_| FetchError::in_vain("a header cannot hold what it should"))?;
            filled.set_sensitive(true);
            request = request.header(name, filled);
        }
        Ok(request)
    }
}

/// What is asked fills in a path or a query, never where it goes.
fn check_place(url: &Template) -> Result<(), Wrong> {
    let place = |filling: &str| {
        let url = Url::parse(&url.fill(|_| filling.to_owned(), str::to_owned));
        let url = url.map_err(|e| {
            (
                "http.url",
                format!("an address such as https://host/path: {e}"),
            )
        })?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none();
        if !is_plain {
            let wanted = "https:// or http://, and no user or password: those are for a header with {secret}";
            return Err(("http.url", wanted.to_owned()));
        }
        Ok(url.origin())
    };
    if place("x")? == place("yy")? {
        Ok(())
    } else {
        Err(("http.url", "a host and a port without braces".into()))
    }
}

fn client(http: &HttpConfig) -> Result<reqwest::Client, Wrong> {
    // One provider for the whole process; the second start in a test finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only();
    if let Some(ca) = &http.ca {
        let wrong = |e: &dyn std::fmt::Display| {
            let wanted = format!("certificates in PEM in {}: {e}", ca.display());
            ("http.ca", wanted)
        };
        let pem = std::fs::read(ca).map_err(|e| wrong(&e))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| wrong(&e))?;
        if certificates.is_empty() {
            return Err(wrong(&"there is none"));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|e| ("http", e.to_string()))
}

fn escape_of(content_type: &str) -> Result<fn(&str) -> String, Wrong> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind == "application/json" || kind.ends_with("+json") {
        Ok(fill::json)
    } else if matches!(kind, "application/xml" | "text/xml") || kind.ends_with("+xml") {
        Ok(fill::xml)
    } else if kind == "application/x-www-form-urlencoded" {
        Ok(fill::percent)
    } else {
        Err((
            "http.content_type",
            "JSON, XML or application/x-www-form-urlencoded".into(),
        ))
    }
}

fn refused(status: StatusCode) -> FetchError {
    let code = status.as_u16();
    match code {
        300..=399 => FetchError::in_vain(format!(
            "it sends elsewhere ({code}), which is not followed"
        )),
        401 | 403 | 451 => FetchError::Refused(format!("it answered {code}")),
        408 | 429 | 500..=599 => FetchError::again(format!("it answered {code}")),
        _ => FetchError::in_vain(format!("it answered {code}")),
    }
}

/// The address of a source holds what was asked: it is not repeated in an error.
fn failed(error: &reqwest::Error) -> FetchError {
    let mut cause: &dyn std::error::Error = error;
    let mut certificate = None;
    while let Some(source) = cause.source() {
        cause = source;
        certificate = certificate.or_else(|| bad_certificate(cause));
    }
    if let Some(why) = certificate {
        return FetchError::in_vain(format!("its certificate does not hold: {why}"));
    }
    // The error's own text has the address in it.
    if std::error::Error::source(error).is_none() {
        return FetchError::again("it cannot be reached");
    }
    FetchError::again(format!("it cannot be reached: {cause}"))
}

/// An I/O error does not name what it wraps as its source.
fn bad_certificate(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    let io = cause.downcast_ref::<std::io::Error>();
    let wrapped = io.and_then(|io| io.get_ref()?.downcast_ref::<TlsError>());
    match wrapped.or_else(|| cause.downcast_ref::<TlsError>())? {
        TlsError::InvalidCertificate(why) => Some(format!("{why:?}")),
        _ => None,
    }
}
