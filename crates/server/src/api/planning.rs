//! Plans of training runs, searched while one moves a slider.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use plan::overview;
use plan::plan_file::PlanFile;
use serde::Serialize;

use super::Page;
use crate::Error;

pub(super) async fn known(State(page): State<Page>) -> Result<Response, Error> {
    Ok(Json(page.run(|_| Ok(overview::known())).await?).into_response())
}

pub(super) async fn overview(State(page): State<Page>, plan: String) -> Result<Response, Error> {
    searched(&page, &plan, overview::overview).await
}

pub(super) async fn choices(State(page): State<Page>, plan: String) -> Result<Response, Error> {
    searched(&page, &plan, overview::choices).await
}

/// Set when dropped: the page gave up this request, because the slider moved on.
struct StopWhenLeft(Arc<AtomicBool>);

impl Drop for StopWhenLeft {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn searched<T: Serialize + Send + 'static>(
    page: &Page,
    plan: &str,
    search: fn(&PlanFile, usize, &AtomicBool) -> Result<T, plan::Error>,
) -> Result<Response, Error> {
    let file = overview::parse(plan).map_err(Error::plan)?;
    let stop = Arc::new(AtomicBool::new(false));
    let _left = StopWhenLeft(stop.clone());
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let found = page.run(move |_| search(&file, threads, &stop).map_err(Error::plan)).await?;
    Ok(Json(found).into_response())
}
