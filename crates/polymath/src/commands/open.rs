//! The bare `polymath`: serves the assistant's page on this machine and says where.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use server::house::{House, HouseOptions, SampleLife};
use server::{ServeOptions, Server};

use crate::args::OpenArguments;
use crate::home::Home;
use crate::{output, sample};

pub fn run(arguments: &OpenArguments) -> anyhow::Result<()> {
    let home = Home::find()?;
    let sample = SampleLife::read(&sample::write(home.path())?)?;
    let house = House::open(HouseOptions {
        home: home.path().to_owned(),
        vault: home.vault(),
        sample: Some(sample),
        model: None,
        draft: None,
        fetch: true,
        n_threads: arguments.threads.count(),
        runs: arguments.runs.clone(),
        gate: None,
    })?;
    let default = SocketAddr::from(([127, 0, 0, 1], 4141));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let server = match start(arguments.addr, &house).await {
            // The usual port is taken by something else: any other serves as well.
            Err(server::Error::Bind { .. }) if arguments.addr == default => {
                start(SocketAddr::new(default.ip(), 0), &house).await?
            }
            other => other?,
        };
        output::line(format!("Polymath is open at {}", server.address()))?;
        eprintln!("Only this machine can reach it. Ctrl+C ends it.");
        if !arguments.no_browser {
            show(server.address());
        }
        tokio::signal::ctrl_c().await?;
        server.shutdown().await;
        Ok(())
    })
}

async fn start(addr: SocketAddr, house: &Arc<House>) -> Result<Server, server::Error> {
    let (backend, models) = (house.clone(), house.clone());
    server::serve(ServeOptions { addr, backend, models, api_keys: Vec::new() }).await
}

/// Opens the address in the owner's browser where there is one; the printed address serves as well.
fn show(address: &str) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(target_os = "windows") {
        "explorer"
    } else if std::env::var_os("DISPLAY").or(std::env::var_os("WAYLAND_DISPLAY")).is_some() {
        "xdg-open"
    } else {
        return;
    };
    let quiet = Stdio::null;
    let _ =
        Command::new(opener).arg(address).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
}
