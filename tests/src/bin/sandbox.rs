//! The emulated environment as a program of its own, for inside a virtual machine: see
//! `rightsizer_tests::snapshot`.

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    rightsizer_tests::snapshot::inside::follow().await
}
