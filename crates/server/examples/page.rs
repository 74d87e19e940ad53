#[path = "../tests/common/mod.rs"]
mod common;
fn main() {
    let running = common::Running::start_at(&std::env::args().nth(1).unwrap(), &[]);
    std::fs::write("/tmp/page-address", running.server.address()).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3000));
}
