//! Makes the program of a release smaller at its link.
//!
//! `strip` of a profile is lost if the package has an override, so the symbols are left out here. A third of the SDK's
//! generated code is the same machine code under several names, which the linker that comes with the compiler on
//! x86-64 Linux can write once. A linker that was configured instead may not know that option.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
        let is_lld = var("TARGET").is_ok_and(|target| target == "x86_64-unknown-linux-gnu")
            && var("RUSTC_LINKER").is_err();
        if is_lld {
            println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        }
    }
}
