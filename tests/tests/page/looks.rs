//! Every page as a reader sees it.

use serde_json::json;

use crate::browser::drive;
use crate::scene::{HOSTILE, Scene, TOKEN};

/// Both themes, three widths: no error on the console, no request to another host, nothing that axe-core finds, nothing
/// wider than the window; a screenshot of each. Tab reaches everything that can be pressed or filled in.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_clean_accessible_and_fits_the_window() {
    let scene = Scene::start().await;
    let lines = drive(
        "looks",
        scene.server.endpoint(),
        json!({ "token": TOKEN, "hostile": HOSTILE }),
    )
    .await;
    let looked = lines
        .iter()
        .filter(|line| line.starts_with("looked: "))
        .count();
    assert_eq!(
        looked,
        6 * 2 * 3,
        "six pages, two themes, three widths: {lines:#?}"
    );
    let by_keyboard = lines.iter().filter(|line| line.starts_with("keyboard: "));
    assert_eq!(by_keyboard.count(), 5, "{lines:#?}");
    scene.server.stop().await.unwrap();
}

/// What arrives appears without a reload, also on a page that was open before.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_appears_on_an_open_page() {
    let scene = Scene::start().await;
    let record = rightsizer_tests::sample::reports("arrives-live").unwrap();
    let data = rightsizer_tests::sample::bytes(rightsizer_records::Reports {
        t0: crate::scene::today().start().plus_ms(1000),
        ..record
    });
    let data = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, data);
    let lines = drive(
        "live",
        scene.server.endpoint(),
        json!({ "token": TOKEN, "data": data }),
    )
    .await;
    assert!(
        lines.iter().any(|line| line.starts_with("appeared after ")),
        "{lines:#?}"
    );
    scene.server.stop().await.unwrap();
}

/// A report in one file is read from the disk, without a server.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    crate::scene::make(folder.path()).await;
    let (store, page) = (
        folder.path().join("rightsizer.db"),
        folder.path().join("fleet.html"),
    );
    let arguments = [
        "list",
        "--store",
        store.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
    ];
    let done = rightsizer_tests::aggregator::rightsizer(&arguments)
        .await
        .unwrap();
    assert!(done.status.success());
    let address = format!("file://{}", page.display());
    let lines = drive("report", &address, json!({ "hostile": HOSTILE })).await;
    assert!(
        lines.iter().any(|line| line == "filtered to 10"),
        "{lines:#?}"
    );
}
