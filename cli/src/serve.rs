//! `forerunner serve`: the center, until it is told to stop.

use std::path::Path;

use server::center::Center;
use server::config::Config;
use tokio_util::sync::CancellationToken;

use crate::{Ended, write_ready};

pub(crate) async fn run(
    config: &Path,
    ready_file: Option<&Path>,
    stop: CancellationToken,
) -> Ended {
    let config = Config::read(config).map_err(|e| e.to_string())?;
    let name = config.name.clone();
    let scheme = if config.console_tls { "https" } else { "http" };
    let origin = config.sign_in.origin.clone();
    let data = config.data.clone();
    let running = Center::start(config).await.map_err(|e| e.to_string())?;
    let api = format!("{scheme}://{}", running.console);
    let console = origin.unwrap_or_else(|| api.clone());
    println!(
        "{name} is up. Console: {console}  API: {api}  Devices: {}",
        running.sync
    );
    if let Some(path) = ready_file {
        write_ready(
            path,
            &serde_json::json!({
                "console": console,
                "api": api,
                "sync": running.sync.to_string(),
                "mdts": [],
                "data": data,
                "token": running.center.token,
            }),
        )?;
    }
    stop.cancelled().await;
    println!("Stopping.");
    running.stop().await;
    Ok(())
}
