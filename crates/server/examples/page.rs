#[path = "../tests/common/sample.rs"]
mod sample;
#[tokio::main]
async fn main() {
    let house = std::sync::Arc::new(sample::SampleHouse::new(std::path::Path::new("/tmp/drop")));
    let options = server::ServeOptions {
        addr: std::env::args().nth(1).unwrap_or("127.0.0.1:0".into()).parse().unwrap(),
        backend: house,
        api_key: None,
    };
    let server = server::serve(options).await.unwrap();
    std::fs::write("/tmp/page-address", server.address()).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(
        std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(60),
    ))
    .await;
    server.shutdown().await;
}
