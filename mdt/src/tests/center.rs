//! As much of a center as a laptop needs before it can be alone: it enrols, it signs
//! on, and it can be gone. No session: whatever is written stays on the laptop.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use data_encoding::{BASE64, HEXLOWER};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use mobile_core::Ticket;
use mobile_core::identity::{Signer, SoftwareSigner};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa,
    KeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, version};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Gone when dropped.
pub(super) struct Center {
    pub(super) ticket: String,
    _serving: AbortOnDropHandle<()>,
}

impl Center {
    pub(super) async fn start() -> Self {
        Self::start_of(false).await
    }

    /// Of an agency whose officers sign on by its own sign-in.
    pub(super) async fn with_a_provider() -> Self {
        Self::start_of(true).await
    }

    async fn start_of(provider: bool) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ticket = Ticket {
            center: listener.local_addr().unwrap().to_string(),
            ca: authority.der().to_vec(),
            code: "ABCD".into(),
        };
        let acceptor = acceptor(&authority);
        let app = Router::new()
            .route("/v1/enrol", post(enrol))
            .route(
                "/v1/shifts",
                post(move |Json(asked): Json<Value>| async move { sign_on(&asked, provider) }),
            )
            .route("/v1/sign-on/begin", post(begin))
            .route("/v1/sign-on/finish", post(finish))
            .with_state(Arc::new(authority));
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let service = TowerToHyperService::new(app.clone());
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // A peer that hangs up is no news to a test.
                let _ = connection.await;
            }
        });
        Self {
            ticket: ticket.to_string(),
            _serving: AbortOnDropHandle::new(serving),
        }
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, authority)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn enrol(State(authority): State<Arc<Authority>>, Json(asked): Json<Value>) -> Json<Value> {
    let request = BASE64
        .decode(asked["request"].as_str().unwrap().as_bytes())
        .unwrap();
    let certificate = CertificateSigningRequestParams::from_der(&request.into())
        .unwrap()
        .signed_by(&authority)
        .unwrap();
    let sealing_key = SoftwareSigner::generate().unwrap().public_key();
    Json(json!({
        "device": 7,
        "certificate": BASE64.encode(certificate.der()),
        "center_id": HEXLOWER.encode(&[9; 16]),
        "sealing_key": BASE64.encode(&sealing_key),
        "agency": "mpd",
    }))
}

/// Says where it is led back to, which the officer's browser then does.
async fn begin(Json(asked): Json<Value>) -> Json<Value> {
    let redirect = asked["redirect"].as_str().unwrap();
    Json(json!({ "url": format!("https://login.example/authorize?to={redirect}") }))
}

async fn finish(Json(asked): Json<Value>) -> Json<Value> {
    Json(json!({"officer": "4711", "unit": "4A12", "proof": asked["back"]}))
}

fn sign_on(asked: &Value, provider: bool) -> Response {
    if provider && asked["proof"].is_null() {
        let why =
            "Officers of MPD sign on by the agency's own sign-in: a badge alone is not taken.";
        let problem = json!({ "title": "The agency's sign-in is wanted", "detail": why });
        return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
    }
    Json(json!({
        "token": "dG9rZW4",
        "officer": "J. Diaz",
        "unit": asked["unit"],
        "agency": "mpd",
        "expires_ms": i64::MAX / 2,
    }))
    .into_response()
}
