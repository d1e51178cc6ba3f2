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
    let (name, scheme) = (
        config.name.clone(),
        if config.console_tls { "https" } else { "http" },
    );
    let data = config.data.clone();
    let running = Center::start(config).await.map_err(|e| e.to_string())?;
    let console = format!("{scheme}://{}", running.console);
    println!(
        "{name} is up. Console and API: {console}  Devices: {}",
        running.sync
    );
    if let Some(path) = ready_file {
        write_ready(
            path,
            &serde_json::json!({
                "console": console,
                "api": console,
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
