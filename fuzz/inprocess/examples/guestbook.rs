//! A guestbook of several houses, as an axum service, and the lines that fuzz it within this process.
//!
//! Under libFuzzer the body of `main` is `fuzz_target!(|bytes: &[u8]| { HARNESS.trial(bytes); })`, and the harness a `LazyLock`. Here, so that
//! it runs on any toolchain, the bytes are counted up: `cargo run -p coalmine-inprocess --example guestbook -- guilty` finds the bug.

use coalmine_inprocess::{App, Harness};

#[path = "guestbook/service.rs"]
mod service;

use service::{CacheKey, SCENARIO, router};

fn main() {
    let is_guilty = std::env::args().any(|argument| argument == "guilty");
    let key = if is_guilty { CacheKey::Page } else { CacheKey::HouseAndPage };
    let harness = Harness::new(SCENARIO, move || async move { App::new(router(key)) }).expect("the scenario is one");
    for number in 0..100_u32 {
        let bytes: Vec<u8> =
            (0..64_u32).flat_map(|at| number.wrapping_mul(0x9e37_79b9).wrapping_add(at).to_le_bytes()).collect();
        harness.trial(&bytes);
    }
    println!("100 trials, and nobody read what is another's");
}
