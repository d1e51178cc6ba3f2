//! A laptop's program over its real socket, and an officer's browser without eyes.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{MdtError, MdtOptions, run};

pub(super) fn options(directory: &Path, ticket: Option<String>) -> MdtOptions {
    MdtOptions {
        directory: directory.join("laptop"),
        port: 0,
        ticket,
        officer: Some("4711".into()),
        unit: Some("4A12".into()),
        label: "Laptop 7".into(),
        allow_link_switch: false,
        demo_pin: Some("482916".into()),
        pin_hash: mobile_core::PinHash::CHEAP,
    }
}

pub(super) struct Laptop {
    pub(super) port: u16,
    pub(super) key: String,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), MdtError>>,
}

/// What was answered, in text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Laptop {
    pub(super) async fn start(options: MdtOptions) -> Self {
        let shutdown = CancellationToken::new();
        let (ready, address) = oneshot::channel();
        let running = tokio::spawn(run(options, shutdown.clone(), move |address| {
            ready.send(address).unwrap();
        }));
        let address = address.await.unwrap();
        let (host, key) = address.split_once("/?key=").unwrap();
        let port = host.strip_prefix("http://127.0.0.1:").unwrap();
        Self {
            port: port.parse().unwrap(),
            key: key.into(),
            shutdown,
            running,
        }
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn cookie(&self) -> String {
        format!("forerunner-mdt-{}={}", self.port, self.key)
    }

    /// These headers and no others.
    pub(super) async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(self.host()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.into(),
            body: body.into(),
        }
    }

    /// As the officer's browser asks.
    pub(super) async fn get(&self, path: &str) -> Answer {
        let headers = [("Host", &*self.host()), ("Cookie", &*self.cookie())];
        self.ask(&format!("GET {path}"), &headers, "").await
    }

    pub(super) async fn post(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let origin = format!("http://{}", self.host());
        let headers = [
            ("Host", &*self.host()),
            ("Cookie", &*self.cookie()),
            ("Origin", &*origin),
            ("Content-Type", content_type),
        ];
        self.ask(&format!("POST {path}"), &headers, body).await
    }

    pub(super) async fn form(&self, path: &str, body: &str) -> Answer {
        self.post(path, "application/x-www-form-urlencoded", body)
            .await
    }
}
