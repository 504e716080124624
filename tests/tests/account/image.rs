//! The container's image and the zips contain exactly the files that were built.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rightsizer_tests::aggregator::binary;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::{Stage, root, tool, words_of};

/// Returns a digest as registries write it.
pub(crate) fn sha256(content: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(content) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A file of an image's tar: its mode, its owner and the hash of its content.
type File = (u64, u64, String);

/// Returns the files of a tar, and its folders without a hash. Supports only names of at most 100 characters.
fn files(tar: &[u8]) -> Result<BTreeMap<String, File>> {
    let mut found = BTreeMap::new();
    let mut rest = tar;
    while rest.len() >= 512 && rest[0] != 0 {
        let (head, after) = rest.split_at(512);
        let text = |from: usize, to: usize| {
            let field = head[from..to].split(|b| *b == 0).next().unwrap_or_default();
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let number = |from, to| u64::from_str_radix(&text(from, to), 8).context("no number");
        let size = usize::try_from(number(124, 136)?)?;
        let (content, _) = after.split_at(size);
        let hash = if head[156] == b'5' {
            String::new()
        } else {
            sha256(content)
        };
        let name = text(0, 100).trim_end_matches('/').to_owned();
        found.insert(name, (number(100, 108)?, number(108, 116)?, hash));
        rest = &after[size.div_ceil(512) * 512..];
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_container_holds_the_binary_that_was_built_and_nothing_is_run_to_make_it() -> Result<()>
{
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let package = stage.package();
    let built = stage.folder.path().join("built/rightsizer");
    let built = std::fs::read(built)?;

    let context = package.join("container");
    ensure!(
        std::fs::read(context.join("rightsizer"))? == built,
        "another binary"
    );
    let dockerfile = std::fs::read_to_string(context.join("Dockerfile"))?;
    for line in dockerfile.lines().filter(|line| !line.is_empty()) {
        let word = line.split(' ').next().unwrap_or_default();
        let lays_out = [
            "#",
            "FROM",
            "COPY",
            "VOLUME",
            "ENV",
            "USER",
            "WORKDIR",
            "ENTRYPOINT",
        ];
        assert!(lays_out.contains(&word), "{line}");
    }

    let image = package.join("image");
    let read = |digest: &Value| -> Result<Vec<u8>> {
        let name = digest.as_str().context("no digest")?.replace("sha256:", "");
        let content = std::fs::read(image.join("blobs/sha256").join(&name))?;
        ensure!(
            sha256(&content) == format!("sha256:{name}"),
            "{name} holds something else"
        );
        Ok(content)
    };
    let index: Value = serde_json::from_slice(&std::fs::read(image.join("index.json"))?)?;
    let manifest: Value = serde_json::from_slice(&read(&index["manifests"][0]["digest"])?)?;
    let config: Value = serde_json::from_slice(&read(&manifest["config"]["digest"])?)?;
    let packed = read(&manifest["layers"][0]["digest"])?;
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut tar)?;
    assert_eq!(config["rootfs"]["diff_ids"], json!([sha256(&tar)]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"], json!(["/rightsizer"]));

    let files = files(&tar)?;
    let names: Vec<_> = files
        .iter()
        .filter(|(_, f)| !f.2.is_empty())
        .map(|(n, _)| n.as_str())
        .collect();
    let wanted = [
        "etc/ssl/certs/ca-certificates.crt",
        "rightsizer",
        "var/lib/rightsizer/.keep",
    ];
    assert_eq!(names, wanted);
    assert_eq!(files["rightsizer"], (0o755, 0, sha256(&built)));
    // The store's folder belongs to its user.
    assert_eq!(files["var/lib/rightsizer"].1, 65532);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_binaries_give_the_same_package() -> Result<()> {
    let stage = Stage::set().await?;
    let mut hashes = Vec::new();
    for _ in 0..2 {
        stage.made(&["package"]).await?;
        let package = stage.package();
        let names = std::fs::read_dir(&package)?.collect::<Result<Vec<_>, _>>()?;
        let zips = names.iter().map(std::fs::DirEntry::path);
        let mut zips: Vec<_> = zips
            .filter(|p| p.extension().is_some_and(|e| e == "zip"))
            .collect();
        zips.push(package.join("image/index.json"));
        zips.sort();
        let hash = |path: &std::path::PathBuf| anyhow::Ok(sha256(&std::fs::read(path)?));
        hashes.push(zips.iter().map(hash).collect::<Result<Vec<_>>>()?);
        std::fs::remove_dir_all(&package)?;
    }
    assert_eq!(hashes[0], hashes[1]);
    assert!(hashes[0].len() >= 3);
    Ok(())
}

#[test]
fn the_context_has_what_cargo_built() -> Result<()> {
    let (folder, built) = (tempfile::tempdir()?, binary()?);
    let laid_out = Command::new(root().join("infra/context.sh"))
        .args([&built, folder.path()])
        .output()?;
    ensure!(laid_out.status.success(), "{}", words_of(&laid_out));
    let in_context = std::fs::read(folder.path().join("rightsizer"))?;
    ensure!(in_context == std::fs::read(built)?, "another binary");
    Ok(())
}

#[test]
fn the_updater_s_zip_holds_its_binary_under_the_name_that_lambda_starts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let built = folder.path().join("updater");
    std::fs::copy(root().join("infra/zip.sh"), &built)?;
    let zip = folder.path().join("updater.zip");
    let packed = Command::new(root().join("infra/zip.sh"))
        .args([&built, Path::new("bootstrap"), &zip])
        .output()?;
    ensure!(packed.status.success(), "{}", words_of(&packed));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&zip)?)?;
    assert_eq!(archive.len(), 1);
    let mut file = archive.by_index(0)?;
    assert_eq!(
        (file.name()?.to_string(), file.unix_mode()),
        ("bootstrap".to_owned(), Some(0o100_755))
    );
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    ensure!(content == std::fs::read(built)?, "another binary");
    Ok(())
}

#[test]
fn a_dockerfile_that_runs_something_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dockerfile = "FROM scratch\nRUN echo\n";
    std::fs::write(folder.path().join("Dockerfile"), dockerfile)?;
    let built = Command::new(tool("python")?)
        .arg(root().join("infra/image.py"))
        .arg("build")
        .args([
            folder.path(),
            &folder.path().join("image"),
            Path::new("amd64"),
        ])
        .output()?;
    assert!(!built.status.success());
    assert!(
        words_of(&built).contains("RUN echo: the Dockerfile may"),
        "{}",
        words_of(&built)
    );
    Ok(())
}
