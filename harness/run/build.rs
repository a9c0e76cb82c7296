//! Whether the locks of the tests are loom's: `COALMINE_LOOM=1 cargo test -p coalmine-run --lib models`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=COALMINE_LOOM");
    if std::env::var_os("COALMINE_LOOM").is_some() {
        println!("cargo::rustc-cfg=coalmine_loom");
    }
}
