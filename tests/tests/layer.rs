//! The layer as it is published: what its binary needs of a system, how it is packed, that it is the
//! one the scenarios run, that it speaks TLS, and that it weighs no more than its goals.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::FileHeader as _;
use rightsizer_records::Timestamp;
use rightsizer_tests::emulator::{
    Environment, Exit, FunctionSpec, Invocation, Options, Reason, extension_binary,
};
use rightsizer_tests::weigh::bench::Bench;
use rightsizer_tests::weigh::endpoint::Endpoint;
use rightsizer_tests::weigh::life::Subject;

/// Amazon Linux 1, the oldest system that a runtime of Lambda has, has glibc 2.17.
const GLIBC: (u32, u32) = (2, 17);

/// The layer of this binary, packed by the same command as `make layer`.
fn pack(binary: &Path, folder: &Path) -> Result<PathBuf> {
    let zip = folder.join("layer.zip");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/layer.sh");
    let run = Command::new(script).arg(binary).arg(&zip).output()?;
    let why = String::from_utf8_lossy(&run.stderr).into_owned();
    ensure!(run.status.success(), "{why}");
    Ok(zip)
}

/// Every version of glibc that some symbol of this executable is bound to.
fn glibc_versions(elf: &[u8]) -> Result<Vec<(u32, u32)>> {
    let header = FileHeader64::<Endianness>::parse(elf)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, elf)?;
    let needed = sections.gnu_verneed(endian, elf)?;
    let (mut needed, link) = needed.context("it needs no versioned symbol: is it static?")?;
    let strings = sections.strings(endian, elf, link)?;
    let mut versions = Vec::new();
    while let Some((_, mut symbols)) = needed.next()? {
        while let Some(symbol) = symbols.next()? {
            let name = String::from_utf8_lossy(symbol.name(endian, strings)?).into_owned();
            if let Some(version) = name.strip_prefix("GLIBC_") {
                let mut parts = version.split('.').map(str::parse);
                let part = parts.next().context("no version")??;
                versions.push((part, parts.next().unwrap_or(Ok(0))?));
            }
        }
    }
    Ok(versions)
}

#[test]
fn it_runs_on_every_system_of_lambda() -> Result<()> {
    let own = extension_binary()?;
    let mut binaries = vec![own.clone()];
    // Of the other architecture, if `make layer` could build it.
    for arch in ["arm64", "x86_64"] {
        let other = own.with_file_name(arch).join("rightsizer-extension");
        binaries.extend(other.is_file().then_some(other));
    }
    for binary in binaries {
        let versions = glibc_versions(&std::fs::read(&binary)?)?;
        let newest = versions.iter().max().context("no version")?;
        ensure!(
            *newest <= GLIBC,
            "{} needs glibc {newest:?}, Amazon Linux 1 has {GLIBC:?}: build it with `make \
             extension`, not with cargo alone",
            binary.display()
        );
    }
    Ok(())
}

#[test]
fn it_holds_the_binary_that_the_scenarios_run_and_nothing_else() -> Result<()> {
    let (binary, folder) = (extension_binary()?, tempfile::tempdir()?);
    let zip = std::fs::read(pack(&binary, folder.path())?)?;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&zip))?;
    assert_eq!(archive.len(), 1);
    let mut file = archive.by_index(0)?;
    assert_eq!(file.name()?, "extensions/rightsizer-extension");
    assert_eq!(file.unix_mode(), Some(0o100_755));
    let mut packed = Vec::new();
    file.read_to_end(&mut packed)?;
    assert!(packed == std::fs::read(&binary)?, "another binary");
    let again = tempfile::tempdir()?;
    assert!(
        zip == std::fs::read(pack(&binary, again.path())?)?,
        "another zip"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_weighs_no_more_than_its_goals() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(folder.path()).await?;
    let bench = Bench {
        endpoint: &endpoint,
        env: &[],
        runs: 3,
        share: None,
    };
    let subject = Subject {
        name: "rightsizer-extension".to_owned(),
        binary: extension_binary()?,
        ships: true,
    };
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/layer.sh");
    let row = &bench.rows(&[subject], &pack).await?[0];
    // Its start depends on the machine, and is measured by `make weigh` beside the floor of the
    // same run.
    assert!(row.peak_mb <= 4.5, "{row:?}");
    assert!(row.cpu_ms <= 25.0, "{row:?}");
    assert!(row.held_ms <= 0.0, "{row:?}");
    assert!((row.calls - 1.0).abs() < 0.1, "{row:?}");
    assert!(row.zip_mb.is_some_and(|mb| mb <= 1.3), "{row:?}");
    assert!(
        row.bytes_per_report.is_some_and(|bytes| bytes <= 32.0),
        "{row:?}"
    );
    Ok(())
}

/// Two invocations and the end, over TLS to this endpoint.
async fn live(endpoint: &Endpoint, env: Vec<(String, String)>) -> Result<Exit> {
    let options = Options {
        env,
        ..Options::to("reports", &endpoint.url)
    };
    let mut environment = Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
    let at = Timestamp::parse("2026-01-31T10:00:00Z")?;
    for n in [0, 10_000] {
        let invocation = Invocation::ok(at.plus_ms(n), 90, 40.0);
        environment.invoke(invocation).await?;
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    ensure!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    ensure!(exit.took < Duration::from_secs(2), "{exit:?}");
    Ok(exit)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_trusts_the_bundle_it_is_given() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(folder.path()).await?;
    for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let bundle = endpoint.bundle.display().to_string();
        let exit = live(&endpoint, vec![(name.to_owned(), bundle)]).await?;
        assert_eq!(exit.log, "", "{name}");
        let reports: Vec<_> = endpoint.drain().iter().map(|t| t.reports).collect();
        assert_eq!(reports, [2], "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sends_nothing_to_a_server_it_cannot_trust() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(folder.path()).await?;
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let bundle = folder.path().join("other.pem");
    std::fs::write(&bundle, other.cert.pem())?;
    let missing = folder.path().join("missing.pem");
    for (bundle, wanted) in [
        (bundle, "not trusted (no TLS: invalid peer certificate"),
        (missing, "cannot be read"),
    ] {
        let env = ("AWS_CA_BUNDLE".to_owned(), bundle.display().to_string());
        let exit = live(&endpoint, vec![env]).await?;
        assert!(exit.log.contains(wanted), "{}", exit.log);
        assert!(exit.log.contains("2 are lost"), "{}", exit.log);
        assert!(!exit.log.contains("panicked"), "{}", exit.log);
        assert!(endpoint.drain().is_empty());
    }
    Ok(())
}
