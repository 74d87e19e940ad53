//! Binding, the accept loop, and which request goes where.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::auth::{self, Door};
use crate::backend::Backend;
use crate::openai::{self, Models};
use crate::{Error, api, assets};

/// Connections served at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// A client that has not sent its headers, or its body, by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest JSON body: a long conversation with tool schemas fits many times.
const MAX_BODY_BYTES: usize = 8 << 20;
/// How long open answers may go on after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(2);

pub struct ServeOptions {
    /// A loopback address; port 0 takes any free one.
    pub addr: SocketAddr,
    pub backend: Arc<dyn Backend>,
    pub models: Arc<dyn Models>,
    /// What `/v1` takes as `Authorization: Bearer`; empty lets any program on this machine in.
    pub api_keys: Vec<String>,
}

/// A running server. Dropping it without [`Server::shutdown`] leaves it running until the runtime ends.
pub struct Server {
    addr: SocketAddr,
    address: String,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Where it listens, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to print: opening it signs a browser in.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Takes no new connection, gives open answers a moment, then ends them.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // The accept loop never panics; were it to, there would be nothing left to wait for.
        let _ = self.accepting.await;
    }
}

/// Binds and starts serving on the current tokio runtime.
pub async fn serve(options: ServeOptions) -> Result<Server, Error> {
    let ServeOptions { addr, backend, models, api_keys } = options;
    if !addr.ip().is_loopback() {
        return Err(Error::NotLoopback { addr });
    }
    let bind_error = |source| Error::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(bind_error)?;
    let addr = listener.local_addr().map_err(bind_error)?;
    let (door, token) = Door::new(addr, &api_keys)?;
    let router = router(Arc::new(door), backend, models);
    let (stop, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(listener, router, stopped));
    Ok(Server { addr, address: format!("http://{addr}/?token={token}"), stop, accepting })
}

fn router(door: Arc<Door>, backend: Arc<dyn Backend>, models: Arc<dyn Models>) -> Router {
    let api = api::router(backend, door.clone());
    Router::new()
        .route("/", get(front))
        .route("/web/{*name}", get(assets::file))
        .with_state(door.clone())
        .nest("/api", api)
        .nest("/v1", openai::router(models.clone(), door.clone()))
        .merge(openai::watching(models, door.clone()))
        .layer(from_fn_with_state(door, auth::check_origin))
        .layer(map_response(assets::safe_headers))
}

/// Reads a whole body within the time and size limits before any handler runs.
pub(crate) async fn whole_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// [`whole_body`] as a layer.
pub(crate) fn limited(router: Router) -> Router {
    router.layer(from_fn(whole_body))
}

#[derive(Deserialize)]
struct Entrance {
    token: Option<String>,
}

/// The page; or the swap of a token for a cookie; or, for a stranger, a page that says how to get in.
async fn front(
    State(door): State<Arc<Door>>,
    Query(entrance): Query<Entrance>,
    headers: HeaderMap,
) -> Response {
    if let Some(token) = entrance.token {
        return match door.enter(&token) {
            Ok(Some(cookie)) => {
                let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, "/".to_string())];
                (StatusCode::SEE_OTHER, headers).into_response()
            }
            Ok(None) => assets::respond("door.html", StatusCode::UNAUTHORIZED, &headers),
            Err(error) => error.into_response(),
        };
    }
    if door.knows_cookie(&headers) {
        assets::respond("index.html", StatusCode::OK, &headers)
    } else {
        assets::respond("door.html", StatusCode::UNAUTHORIZED, &headers)
    }
}

/// Takes connections until told to stop. A failed `accept` (too many open files) waits and tries again.
async fn accept(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let seat = seats.clone().acquire_owned().await;
            (seat, listener.accept().await)
        };
        let (seat, accepted) = tokio::select! {
            next = next => next,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (service, mut stopped) = (TowerToHyperService::new(router.clone()), stopped.clone());
        connections.spawn(async move {
            let _seat = seat;
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            let mut connection =
                std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
            // A connection that breaks concerns its client alone, who knows.
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = stopped.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} })
        .await;
}
