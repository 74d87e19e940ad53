//! The command line: arguments, progress, printing.

fn main() {}
