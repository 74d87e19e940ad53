//! Meters against made-up `/sys` and `/proc` trees.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledger::energy::{Component, Meter, Method, Options, Reading};

/// A tree with two packages of which one has memory, and the zones that would count something twice.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(machine.path("proc/self")).expect("a folder");
        machine.busy(0, 0);
        fs::write(
            machine.path("proc/cpuinfo"),
            "processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\n",
        )
        .unwrap();
        fs::write(machine.path("proc/meminfo"), "MemTotal:       16000000 kB\nMemFree: 1 kB\n")
            .unwrap();
        machine
    }

    fn with_rapl(self) -> Self {
        for (zone, name) in [
            ("intel-rapl:0", "package-0"),
            ("intel-rapl:0:0", "core"),
            ("intel-rapl:0:1", "dram"),
            ("intel-rapl:1", "package-1"),
            ("intel-rapl:2", "psys"),
            ("intel-rapl-mmio:0", "package-0"),
        ] {
            let folder = self.path(&format!("powercap/{zone}"));
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("name"), format!("{name}\n")).expect("written");
            fs::write(folder.join("max_energy_range_uj"), "1000000000\n").expect("written");
            self.counter(zone, 0);
        }
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn counter(&self, zone: &str, microjoules: u64) {
        fs::write(self.path(&format!("powercap/{zone}/energy_uj")), format!("{microjoules}\n"))
            .unwrap();
    }

    /// The program's name holds a parenthesis and spaces, as names may.
    fn busy(&self, user_ticks: u64, system_ticks: u64) {
        let line = format!(
            "7 (a b) c) R 1 7 7 0 -1 4194304 9 0 0 0 {user_ticks} {system_ticks} 5 5 20 0 3 0 1 2 3\n"
        );
        fs::write(self.path("proc/self/stat"), line).expect("written");
    }

    fn options(&self) -> Options {
        Options {
            powercap: self.path("powercap"),
            proc: self.path("proc"),
            nvidia_smi: None,
            watts_per_core: None,
            memory_bytes: 0,
        }
    }
}

fn joules(reading: &Reading, component: Component) -> f64 {
    reading.parts.iter().filter(|part| part.component == component).map(|part| part.joules).sum()
}

#[track_caller]
fn assert_close(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}");
}

#[test]
fn packages_and_memory_are_counted_once_and_nothing_inside_them() {
    let machine = Machine::new().with_rapl();
    let start = Instant::now();
    let mut meter = Meter::start(&machine.options(), start);
    for (zone, microjoules) in [
        ("intel-rapl:0", 5_000_000),
        ("intel-rapl:0:0", 4_000_000),
        ("intel-rapl:0:1", 1_500_000),
        ("intel-rapl:1", 7_000_000),
        ("intel-rapl:2", 20_000_000),
        ("intel-rapl-mmio:0", 5_000_000),
    ] {
        machine.counter(zone, microjoules);
    }
    let reading = meter.read(start);
    assert_close(joules(&reading, Component::Processor), 12.0);
    assert_close(joules(&reading, Component::Memory), 1.5);
    assert!(reading.is_measured() && reading.parts.iter().all(|part| part.method == Method::Rapl));
    assert_close(meter.read(start).joules(), 0.0);
    assert!(meter.describe().contains("2 package(s) and of memory"), "{}", meter.describe());
}

#[test]
fn a_counter_that_wraps_loses_nothing() {
    let machine = Machine::new().with_rapl();
    machine.counter("intel-rapl:0", 999_000_000);
    let start = Instant::now();
    let mut meter = Meter::start(&machine.options(), start);
    machine.counter("intel-rapl:0", 3_000_000);
    assert_close(joules(&meter.read(start), Component::Processor), 4.0);
    machine.counter("intel-rapl:0", 5_000_000);
    assert_close(joules(&meter.read(start), Component::Processor), 2.0);
}

#[test]
fn a_counter_that_is_gone_for_a_moment_is_made_up_for() {
    let machine = Machine::new().with_rapl();
    let start = Instant::now();
    let mut meter = Meter::start(&machine.options(), start);
    fs::write(machine.path("powercap/intel-rapl:0/energy_uj"), "busy\n").expect("written");
    assert_close(meter.read(start).joules(), 0.0);
    machine.counter("intel-rapl:0", 9_000_000);
    assert_close(meter.read(start).joules(), 9.0);
}

#[test]
fn without_counters_busy_time_is_weighed_with_the_design_power_and_a_range() {
    let machine = Machine::new();
    let start = Instant::now();
    let mut meter =
        Meter::start(&Options { memory_bytes: 16_000_000_000, ..machine.options() }, start);
    machine.busy(1_500, 500);
    let reading = meter.read(start + Duration::from_secs(15));
    // 20 busy core-seconds of a processor of 280 W with 64 cores; 16 GB at 0.375 W each for 15 s.
    assert_close(joules(&reading, Component::Processor), 20.0 * 280.0 / 64.0);
    assert_close(joules(&reading, Component::Memory), 16.0 * 0.375 * 15.0);
    assert!(!reading.is_measured());
    assert!(reading.low() < reading.joules() && reading.joules() < reading.high());
    let said = meter.describe();
    for part in ["280 W for 64 cores", "RAPL is not available", "estimated"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn declared_watts_are_used_as_they_are() {
    let machine = Machine::new();
    let start = Instant::now();
    let mut meter =
        Meter::start(&Options { watts_per_core: Some(11.0), ..machine.options() }, start);
    machine.busy(100, 0);
    let reading = meter.read(start);
    assert_close(reading.joules(), 11.0);
    assert_close(reading.low(), reading.high());
}

#[test]
fn a_system_without_proc_counts_all_cores_as_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("nowhere");
    let options = Options {
        powercap: nowhere.clone(),
        proc: nowhere,
        nvidia_smi: None,
        watts_per_core: Some(2.0),
        memory_bytes: 0,
    };
    let start = Instant::now();
    let mut meter = Meter::start(&options, start);
    let cores = std::thread::available_parallelism().expect("cores").get() as f64;
    assert_close(meter.read(start + Duration::from_secs(3)).joules(), 6.0 * cores);
}

#[cfg(unix)]
#[test]
fn counters_only_root_may_read_are_explained_and_estimated_instead() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new().with_rapl();
    let counter = machine.path("powercap/intel-rapl:0/energy_uj");
    fs::set_permissions(&counter, fs::Permissions::from_mode(0o000)).expect("permissions");
    if fs::read(&counter).is_ok() {
        eprintln!("this user may read everything; the message cannot be provoked here");
        return;
    }
    let meter = Meter::start(&machine.options(), Instant::now());
    assert!(meter.describe().contains("chmod"), "{}", meter.describe());
}

#[cfg(unix)]
#[test]
fn a_graphics_card_is_read_through_its_drivers_program() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let program = machine.path("nvidia-smi");
    write_program(
        &program,
        "#!/bin/sh\necho '0, 100.00, Example Card'\necho '1, [N/A], Example Card'\n",
    );
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("permissions");
    let start = Instant::now();
    let options = Options { nvidia_smi: Some(program), ..machine.options() };
    let mut meter = Meter::start(&options, start);
    // Whatever the program prints meanwhile, the card draws 100 W throughout.
    let used = joules(&meter.read(start + Duration::from_secs(60)), Component::Accelerator);
    assert!((used - 6000.0).abs() < 1.0, "{used}");
    assert!(meter.describe().contains("Example Card"));
    let missing = Options { nvidia_smi: Some("/nowhere/nvidia-smi".into()), ..machine.options() };
    let meter = Meter::start(&missing, start);
    assert!(
        meter.describe().contains("graphics card's power cannot be read"),
        "{}",
        meter.describe()
    );
}

#[cfg(unix)]
fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
}

#[test]
fn readings_add_up_part_by_part() {
    let part = |component, method, joules| ledger::energy::Part {
        component,
        method,
        joules,
        low: 0.5 * joules,
        high: 2.0 * joules,
    };
    let mut sum = Reading::default();
    sum += &Reading { parts: vec![part(Component::Processor, Method::Rapl, 1.0)] };
    sum += &Reading {
        parts: vec![
            part(Component::Processor, Method::Estimate, 2.0),
            part(Component::Processor, Method::Rapl, 4.0),
        ],
    };
    assert_eq!(sum.parts.len(), 2);
    assert_eq!((sum.joules(), sum.low(), sum.high()), (7.0, 3.5, 14.0));
}
